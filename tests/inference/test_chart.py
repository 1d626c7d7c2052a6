"""The chart of a video's expressions over time."""

import numpy as np
import pytest

from mien import figures
from mien.inference import chart

CLASSES = ("happy", "sad")


def frame(time: float, **happy: float) -> dict:
    """Return a record whose faces are named `f1`, `f2` … by their tracks."""
    faces = [
        {"track": int(name[1:]), "probabilities": {"happy": share, "sad": 1 - share}}
        for name, share in happy.items()
    ]
    return {"image": "set/clip.mp4", "time": time, "faces": faces}


def heights(panel, band: int, time: float) -> tuple[float, float]:
    """Return from where to where a band reaches at a time."""
    corners = panel.collections[band].get_paths()[0].vertices
    at = corners[np.isclose(corners[:, 0], time)][:, 1]
    return at.min(), at.max()


def test_each_face_has_a_panel_where_its_bands_have_the_height_of_the_probabilities():
    records = [frame(0, f1=0.25), frame(0.5, f1=0.25, f2=0.9), frame(1.0, f2=0.9)]
    figure = chart.timeline(records, CLASSES, 0.5)
    first, second = figure.axes
    assert (first.get_ylabel(), second.get_ylabel()) == ("face 1", "face 2")
    assert heights(first, 0, 0) == pytest.approx((0, 0.25))
    assert heights(first, 1, 0) == pytest.approx((0.25, 1))
    # The last frame stands for half a second, too; face 1 has gone by then.
    assert heights(first, 1, 1.5) == (0, 0)
    assert heights(second, 0, 1.5) == pytest.approx((0, 0.9))
    assert "clip.mp4" in figure.get_suptitle()


def test_of_many_faces_those_seen_longest_are_shown_and_the_title_says_so():
    many = {f"f{track}": 0.5 for track in range(1, 10)}
    late = {f"f{track}": 0.5 for track in range(4, 10)}
    figure = chart.timeline([frame(0, **many), frame(1, **late)], CLASSES, 1)
    assert [panel.get_ylabel() for panel in figure.axes] == [f"face {n}" for n in range(4, 10)]
    assert "the 6 seen longest of 9" in figure.get_suptitle()


def test_a_video_without_faces_says_so(tmp_path):
    figure = chart.timeline([frame(0), frame(1)], CLASSES, 1)
    assert figure.axes[0].texts[0].get_text() == "no face found"
    for name in ("one.png", "two.png"):
        figures.save(chart.timeline([frame(0, f1=0.5)], CLASSES, 1), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
