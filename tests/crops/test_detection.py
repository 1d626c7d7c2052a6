"""Faces are found in photos."""

import hashlib

import numpy as np
import pytest
from drawn_photos import photo

from mien.crops import detection
from mien.errors import ModelError

# Of OpenCV's model zoo at the commit that brought the file.
SHA256 = "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0"


def centred(faces, places, share=0.1):
    """Tell whether each face's box stands in the middle of its place, in their order."""
    middles = [np.array(face.box[:2]) + np.array(face.box[2:]) / 2 for face in faces]
    return len(faces) == len(places) and all(
        np.abs(middle - (x + side / 2, y + side / 2)).max() < share * side
        for middle, (x, y, side, _) in zip(middles, places, strict=True)
    )


@pytest.fixture(scope="module")
def yunet():
    return detection.YuNet()


@pytest.mark.parametrize("roll", [0, 20])
def test_yunet_finds_faces_and_where_the_eyes_are(yunet, roll):
    places = ((40, 30, 240, roll), (330, 120, 240, roll))
    faces = yunet(photo(400, 640, *places))
    assert centred(faces, places, 0.15)
    for face in faces:
        left, right = face.landmarks[:2]
        assert np.degrees(np.arctan2(*(right - left)[::-1])) == pytest.approx(roll, abs=8)


def test_yunet_finds_the_large_and_the_small_in_one_photo(yunet):
    places = ((50, 300, 1500, 0), (1800, 900, 110, 0), (2300, 1000, 110, 0))
    assert centred(yunet(photo(2000, 3000, *places)), places, 0.2)


@pytest.mark.parametrize("shape", [(480, 640), (1, 1), (3, 2000), (100, 40)])
def test_yunet_finds_nothing_where_nothing_is(yunet, shape):
    # Many times: what OpenCV made up for narrow photos changed from call to call.
    for _ in range(20):
        assert yunet(np.full((*shape, 3), 150, np.uint8)) == []


def test_boxes_end_at_the_edge_of_the_photo(yunet):
    image = photo(300, 300, (0, 0, 300, 0))[60:, 55:]
    (face,) = yunet(image)
    x, y, width, height = face.box
    assert x >= 0 <= y
    assert x + width <= image.shape[1]
    assert y + height <= image.shape[0]


def test_a_wrong_detector_file_is_one_line(tmp_path):
    with pytest.raises(ModelError, match="no such file; --detector takes YuNet's"):
        detection.YuNet(tmp_path / "none.onnx")
    file = tmp_path / "page.onnx"
    file.write_text("<html>")
    with pytest.raises(ModelError, match=r"no YuNet file that OpenCV reads; leave --det") as one:
        detection.YuNet(file)
    assert "\n" not in str(one.value)


def test_the_file_that_comes_along_is_the_zoos_and_has_its_licence(yunet):
    assert hashlib.sha256(detection.FILE.read_bytes()).hexdigest() == SHA256
    assert yunet.name == f"YuNet, sha256 {SHA256}"
    licence = detection.FILE.with_suffix(".LICENSE.txt").read_text()
    assert "MIT License" in licence
    assert detection.FILE.name in licence
