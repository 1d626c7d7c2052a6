"""The chart of accuracy against multiply-adds has a named point for each model."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Annotation, Text

from mien.evaluation.cost import cost_chart
from mien.figures import save

ARCHS = ("compact", "resnet", "vgg", "mini_xception", "efficientnetv2_b0", "two_conv", "deep_cnn")


def made(count: int) -> pd.DataFrame:
    """Return what the leaderboard says of `count` networks, a student and an ensemble."""
    rng = np.random.default_rng(count)
    archs = [ARCHS[place % len(ARCHS)] for place in range(count)]
    names = [f"tune_{arch}" for arch in archs]
    models = [*names, "distill_compact", "ensemble"]
    accuracy = rng.uniform(0.6, 0.9, len(models))
    return pd.DataFrame(
        {
            "model": models,
            "arch": [*archs, "compact", "ensemble"],
            "test_accuracy": accuracy,
            "test_accuracy_low": accuracy - 0.02,
            "test_accuracy_high": accuracy + 0.03,
            "multiply_adds": (10 ** rng.uniform(7, 9, len(models))).astype(int),
        }
    )


def test_each_model_is_a_point_of_its_kind_on_its_interval():
    table = made(3)
    figure = cost_chart(table, "tune_vgg")
    (panel,) = figure.axes
    assert panel.get_xscale() == "log"
    drawn = {line.get_label(): line.get_xydata().tolist() for line in panel.lines}
    points = table[["multiply_adds", "test_accuracy"]].to_numpy().tolist()
    expected = {"network": points[:3], "student": points[3:4], "ensemble": points[4:]}
    assert drawn == expected
    markers = {line.get_marker() for line in panel.lines}
    assert len(markers) == 3
    ends = [part[:, 1].tolist() for lines in panel.collections for part in lines.get_segments()]
    assert ends == table[["test_accuracy_low", "test_accuracy_high"]].to_numpy().tolist()
    names = {text.get_text(): text.get_fontweight() for text in panel.texts}
    assert names == {name: "bold" if name == "tune_vgg" else "normal" for name in table["model"]}


@pytest.mark.parametrize("count", [1, 10])
def test_names_cover_neither_each_other_nor_points(count):
    figure = cost_chart(made(count), "ensemble")
    figure.draw_without_rendering()
    (panel,) = figure.axes
    names = [text for text in panel.texts if isinstance(text, Annotation)]
    boxes = [Text.get_window_extent(name) for name in names]
    assert len(boxes) == count + 2
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    for point in panel.transData.transform([name.xy for name in names]):
        assert not any(box.contains(*point) for box in boxes)


def test_chart_is_the_same_bytes_for_the_same_table(tmp_path):
    for name in ("one", "two"):
        save(cost_chart(made(6), "ensemble"), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
