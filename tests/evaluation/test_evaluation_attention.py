"""Faces beside what a model attends to."""

import numpy as np
import pytest
from conftest import made_faces

from mien.evaluation.attention import attention_sheet

PROBABILITIES = np.tile([0.1, 0.7, 0.1, 0.1], (12, 1))


def pictures(figure) -> list[np.ndarray]:
    return [np.asarray(image.get_array()) for image in figure.axes[0].images]


def test_each_face_is_followed_by_its_maps():
    faces = made_faces(12)
    rng = np.random.default_rng(0)
    maps = {"attention_1": rng.random((12, 12, 12)), "attention_2": rng.random((12, 6, 6))}
    sheet = attention_sheet(faces, PROBABILITIES, maps, "train (compact)")
    shown = pictures(sheet)
    assert len(shown) == 36
    for face, *heated in zip(shown[::3], shown[1::3], shown[2::3], strict=True):
        assert face.ndim == 2
        assert all(each.shape[2] == 3 for each in heated)
    np.testing.assert_array_equal(shown[::3], faces.images)
    title, *captions = [text.get_text() for text in sheet.axes[0].texts]
    assert title.startswith("What train (compact) attends to")
    first, last = maps["attention_1"][0], maps["attention_2"][0]
    assert captions[:3] == [
        "happy → neutral\n70 %",
        f"attention 1\n{first.min():.3f} to {first.max():.3f}",
        f"attention 2\n{last.min():.3f} to {last.max():.3f}",
    ]


def test_heat_is_red_where_the_weight_is_largest_and_blue_where_it_is_least():
    faces = made_faces(1)
    weights = np.full((1, 6, 6), 0.4)
    weights[0, 0, 0], weights[0, 5, 5] = 0.9, 0.1
    _, heated = pictures(attention_sheet(faces, PROBABILITIES[:1], {"attention_2": weights}, "m"))
    red, blue = heated[..., 0].astype(int), heated[..., 2].astype(int)
    assert (red - blue)[:10, :10].min() > 40
    assert (blue - red)[-10:, -10:].min() > 40


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_an_even_map_and_an_even_face_are_drawn_too(value):
    faces = made_faces(1)
    faces.images[:] = 7
    maps = {"attention_2": np.full((1, 6, 6), value, np.float32)}
    _, heated = pictures(attention_sheet(faces, PROBABILITIES[:1], maps, "m"))
    (colour,) = np.unique(heated.reshape(-1, 3), axis=0)
    assert np.ptp(colour) <= 2, "neither red nor blue"


@pytest.mark.parametrize("stages", [1, 2, 5])
def test_a_face_and_its_maps_stand_in_one_row(stages):
    faces = made_faces(12)
    maps = {f"attention_{stage}": np.eye(6)[None].repeat(12, axis=0) for stage in range(stages)}
    sheet = attention_sheet(faces, PROBABILITIES, maps, "m")
    tops = [image.get_extent()[3] for image in sheet.axes[0].images]
    for place in range(0, len(tops), 1 + stages):
        assert len(set(tops[place : place + 1 + stages])) == 1
