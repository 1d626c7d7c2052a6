"""Faces are found in photos; YuNet's tests run where MIEN_YUNET names its file."""

import os
from pathlib import Path

import numpy as np
import pytest
from drawn_photos import photo

from mien.crops import detection, download
from mien.errors import ModelError

YUNET = os.environ.get("MIEN_YUNET")
needs_yunet = pytest.mark.skipif(not YUNET, reason="MIEN_YUNET does not name YuNet's file")


def centred(faces, places, share=0.1):
    """Tell whether each face's box stands in the middle of its place, in their order."""
    middles = [np.array(face.box[:2]) + np.array(face.box[2:]) / 2 for face in faces]
    return len(faces) == len(places) and all(
        np.abs(middle - (x + side / 2, y + side / 2)).max() < share * side
        for middle, (x, y, side, _) in zip(middles, places, strict=True)
    )


def test_the_cascade_finds_faces_from_left_to_right():
    places = ((20, 20, 160, 0), (200, 220, 160, 0), (400, 20, 200, 0))
    faces = detection.Cascade()(photo(430, 640, *places))
    assert centred(faces, places)
    assert all(face.landmarks is None for face in faces)


def test_the_cascade_finds_faces_in_a_large_photo_at_their_places():
    places = ((300, 200, 1200, 0),)
    assert centred(detection.Cascade()(photo(1800, 2700, *places)), places)


@pytest.mark.parametrize("shape", [(480, 640), (1, 1), (3, 2000)])
def test_a_photo_without_faces_has_none(shape):
    assert detection.Cascade()(np.full((*shape, 3), 150, np.uint8)) == []


@pytest.fixture(scope="module")
def yunet():
    return detection.YuNet(Path(YUNET))


@needs_yunet
@pytest.mark.parametrize("roll", [0, 20])
def test_yunet_finds_faces_and_where_the_eyes_are(yunet, roll):
    places = ((40, 30, 240, roll), (330, 120, 240, roll))
    faces = yunet(photo(400, 640, *places))
    assert centred(faces, places, 0.15)
    for face in faces:
        left, right = face.landmarks[:2]
        assert np.degrees(np.arctan2(*(right - left)[::-1])) == pytest.approx(roll, abs=8)


@needs_yunet
def test_yunet_finds_the_large_and_the_small_in_one_photo(yunet):
    places = ((50, 300, 1500, 0), (1800, 900, 110, 0), (2300, 1000, 110, 0))
    assert centred(yunet(photo(2000, 3000, *places)), places, 0.2)


@needs_yunet
@pytest.mark.parametrize("shape", [(480, 640), (1, 1), (3, 2000), (100, 40)])
def test_yunet_finds_nothing_where_nothing_is(yunet, shape):
    # Many times: what OpenCV made up for narrow photos changed from call to call.
    for _ in range(20):
        assert yunet(np.full((*shape, 3), 150, np.uint8)) == []


@needs_yunet
def test_boxes_end_at_the_edge_of_the_photo(yunet):
    image = photo(300, 300, (0, 0, 300, 0))[60:, 55:]
    (face,) = yunet(image)
    x, y, width, height = face.box
    assert x >= 0 <= y
    assert x + width <= image.shape[1]
    assert y + height <= image.shape[0]


def test_a_wrong_detector_file_is_one_line(tmp_path):
    with pytest.raises(ModelError, match="no such file; --detector takes YuNet's"):
        detection.best(tmp_path / "none.onnx")
    file = tmp_path / "page.onnx"
    file.write_text("<html>")
    with pytest.raises(ModelError, match=r"no YuNet file that OpenCV reads; take face_det") as one:
        detection.best(file)
    assert "\n" not in str(one.value)


def test_without_a_network_the_cascade_steps_in_with_a_note(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "URL", "http://127.0.0.1:9/net.onnx")
    detector, note = detection.best()
    assert isinstance(detector, detection.Cascade)
    assert note.startswith("the face detector YuNet cannot be downloaded (Connection refused)")
    assert note.endswith("Until then OpenCV's cascade, which misses more faces.")
    assert "\n" not in note
