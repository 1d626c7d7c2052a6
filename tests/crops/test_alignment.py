"""Crops show as much of a face as FER2013's do, with the eyes level."""

import cv2
import numpy as np
import pytest
from drawn_photos import detected, face

from mien.crops import alignment
from mien.crops.detection import Detection

# A photo of 400 by 400 pixels with a drawn face of 200, and where a detector would see it.
PHOTO = cv2.copyMakeBorder(face(200), 100, 100, 100, 100, cv2.BORDER_REPLICATE)
BOX = (140, 130, 120, 140)
LANDMARKS = np.array([[174, 190], [227, 190], [200, 218], [176, 242], [225, 242]], float)


def turned(angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the photo and the landmarks turned clockwise around the photo's middle."""
    matrix = cv2.getRotationMatrix2D((199.5, 199.5), -angle, 1)
    image = cv2.warpAffine(PHOTO, matrix, (400, 400), borderMode=cv2.BORDER_REPLICATE)
    # OpenCV counts from the middle of the first pixel, landmarks from its corner.
    return image, (LANDMARKS - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5


@pytest.mark.parametrize("angle", [-30, 12, 90])
def test_a_tilted_face_gives_the_crop_of_an_upright_one(angle):
    upright = alignment.crop(PHOTO, Detection(BOX, LANDMARKS), 48).astype(int)
    image, landmarks = turned(angle)
    tilted = alignment.crop(image, Detection(BOX, landmarks), 48)
    assert np.abs(tilted - upright).mean() < 2
    assert np.abs(alignment.crop(image, Detection(BOX, LANDMARKS), 48) - upright).mean() > 6


def test_the_crop_has_the_measured_side_and_middle():
    # Only the pixel in the middle of eyes and mouth is white.
    image = np.zeros((400, 400), np.uint8)
    x, y = LANDMARKS[[0, 1, 3, 4]].mean(0)
    cv2.circle(image, (round(x), round(y)), 6, 255, -1)
    side = round(alignment.SIDE * BOX[2])
    square = alignment.crop(image, Detection(BOX, LANDMARKS), side)
    rows, columns = np.nonzero(square > 128)
    assert rows.mean() / side == pytest.approx(alignment.MIDDLE, abs=0.01)
    assert columns.mean() / side == pytest.approx(0.5, abs=0.01)
    # The area of the disc tells the scale, which is 1.
    assert len(rows) == pytest.approx(np.count_nonzero(image), rel=0.1)


def test_a_profile_is_turned_by_the_line_to_the_mouth():
    # The eyes are so close that the noise of a pixel would turn their line by 45 degrees.
    profile = np.array([[200, 190], [201, 191], [180, 218], [200, 242], [201, 242]], float)
    level = profile.copy()
    level[1] = (201, 190)
    one, other = (
        alignment.crop(PHOTO, Detection(BOX, points), 48).astype(int) for points in (profile, level)
    )
    assert np.abs(one - other).mean() < 1.5


@pytest.mark.parametrize(
    "box", [(0, 0, 90, 90), (395, 398, 5, 2), (0, 0, 400, 400), (0, 399, 1, 1)]
)
def test_a_face_at_the_edge_has_a_crop(box):
    landmarks = np.array([box[:2]] * 5) + np.arange(10).reshape(5, 2)
    square = alignment.crop(PHOTO, Detection(box, landmarks), 48)
    assert (square.shape, square.dtype) == ((48, 48), np.uint8)


def test_a_panorama_wider_than_opencv_can_warp_is_no_matter():
    wide = np.zeros((100, 40_000), np.uint8)
    wide[20:60, 39_000:39_040] = 200
    square = alignment.crop(wide, detected((39_005, 25, 30, 30)), 48)
    assert square.min() == 200
