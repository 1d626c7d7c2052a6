"""Face detection by YuNet."""

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from mien.errors import ModelError

# YuNet detects faces of about 50 to 350 pixels. So it runs on copies of the photo with these longer
# sides, up to the photo's own size: 320 finds a face that fills the photo, 2,560 those in a group
# of fifty.
SIDES = (320, 640, 1280, 2560)
SCORE, OVERLAP, MOST, LEAST = 0.8, 0.3, 5000, 64
# Landmarks are rounded to this fraction of a pixel: below it they differ between machines, and the
# crop would, too.
GRID = 8
# YuNet's file from OpenCV's model zoo; its licence is next to it.
FILE = Path(__file__).with_name("face_detection_yunet_2026may.onnx")


@dataclass(frozen=True, eq=False)
class Detection:
    """A detected face.

    Attributes:
        box: x, y, width and height, pixels, inside the photo.
        landmarks: x and y of the eyes, the nose and the corners of the mouth, in each pair first
            the one on the left of the photo; float, shape (5, 2).
    """

    box: tuple[int, int, int, int]
    landmarks: np.ndarray


class Detector(Protocol):
    """Finds the faces in a photo, uint8, (H, W, 3), BGR.

    Attributes:
        name: identifies the detector.
    """

    name: str

    def __call__(self, photo: np.ndarray) -> list[Detection]:
        """Return the faces from left to right."""


class YuNet:
    """The detector of Wu et al. 2023, doi:10.1007/s11633-023-1423-y; any thread may call it.

    Attributes:
        name: identifies the detector and its file.
    """

    def __init__(self, path: Path = FILE) -> None:
        """Load the network.

        Args:
            path: a file of it; left out: the one that comes with the package.

        Raises:
            ModelError: it is missing or not such a file.
        """
        if not path.is_file():
            raise ModelError(f"{path}: no such file; --detector takes YuNet's .onnx file")
        self.name = f"YuNet, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}"
        try:
            self._net = cv2.FaceDetectorYN.create(str(path), "", (320, 320), SCORE, OVERLAP, MOST)
            self._net.detect(np.zeros((320, 320, 3), np.uint8))
        except cv2.error as error:
            raise ModelError(
                f"{path}: no YuNet file that OpenCV reads; leave --detector out, or take "
                f"{FILE.name} of OpenCV's model zoo"
            ) from error
        self._alone = threading.Lock()

    def __call__(self, photo: np.ndarray) -> list[Detection]:
        """Return the faces in `photo`, uint8, (H, W, 3), BGR, from left to right."""
        height, width = photo.shape[:2]
        longest = max(height, width)
        sides = {320} | {min(side, longest) for side in SIDES if longest > 320}
        rows = [np.empty((0, 15))]
        copy = photo
        for side in sorted(sides, reverse=True):
            copy = _resized(copy, height, width, side)
            scale = np.array([width / copy.shape[1], height / copy.shape[0]])
            rows.append(self._found(copy) * np.append(np.tile(scale, 7), 1))
        faces = np.concatenate(rows)
        # A face can be found in several copies: the detection with the highest score is kept.
        kept = cv2.dnn.NMSBoxes(faces[:, :4].tolist(), faces[:, 14].tolist(), SCORE, OVERLAP)
        return _ordered(
            Detection(box, np.round(row[4:14] * GRID).reshape(5, 2) / GRID)
            for row in faces[np.asarray(kept, int)]
            if (box := _inside(row[:4], height, width))
        )

    def _found(self, photo: np.ndarray) -> np.ndarray:
        """Return rows of box, landmarks and score, shape (N, 15), in pixels of `photo`."""
        # With a side of 32 pixels or less OpenCV 4.14 finds a face in a uniform picture half of the
        # time; with larger sides never, in 500 tries.
        height, width = (max(0, LEAST - side) for side in photo.shape[:2])
        if height or width:
            photo = cv2.copyMakeBorder(photo, 0, height, 0, width, cv2.BORDER_CONSTANT)
        with self._alone:
            self._net.setInputSize(photo.shape[1::-1])
            found = self._net.detect(photo)[1]
        return np.empty((0, 15)) if found is None else found


def _resized(photo: np.ndarray, height: int, width: int, side: int) -> np.ndarray:
    """Return a copy whose longer side is `side`, with the aspect ratio of `height` to `width`."""
    share = side / max(height, width)
    shape = max(1, round(width * share)), max(1, round(height * share))
    if shape == photo.shape[1::-1]:
        return photo
    shrinks = shape[0] < photo.shape[1]
    return cv2.resize(photo, shape, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def _inside(box: np.ndarray, height: int, width: int) -> tuple[int, int, int, int] | None:
    """Return x, y, width and height in whole pixels of the photo; None if nothing is left."""
    left, top = max(0, round(box[0])), max(0, round(box[1]))
    right, bottom = min(width, round(box[0] + box[2])), min(height, round(box[1] + box[3]))
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None


def _ordered(faces: Iterable[Detection]) -> list[Detection]:
    return sorted(faces, key=lambda face: face.box)
