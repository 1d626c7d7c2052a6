"""Small made faces and encoders that several tests use."""

import cv2
import numpy as np
import pandas as pd
import pytest

from mien.faces import Faces

CLASSES = ("happy", "neutral", "sad", "surprise")


def drawn_images(count: int, seed: int = 0, size: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Return (count, size, size) uint8 images of four easy classes and their codes.

    The class shows as a bright quadrant on noise, so that any net can learn it.
    """
    rng = np.random.default_rng(seed)
    codes = np.arange(count) % len(CLASSES)
    images = rng.integers(40, 120, (count, size, size), dtype=np.uint8)
    half = size // 2
    for image, code in zip(images, codes, strict=True):
        row, column = divmod(int(code), 2)
        image[row * half : (row + 1) * half, column * half : (column + 1) * half] += 100
    return images, codes


def made_faces(count: int, seed: int = 0) -> Faces:
    """Return `count` drawn faces as a split."""
    images, codes = drawn_images(count, seed)
    index = pd.DataFrame(
        {
            "name": [f"{seed}/{row}.png" for row in range(count)],
            "label": pd.Categorical.from_codes(codes, categories=list(CLASSES)),
            "group": np.arange(count),
            "copy": 0,
            "seen": False,
        }
    )
    return Faces(images, index)


def encoded(image: np.ndarray, extension: str = ".png") -> bytes:
    """Return the image file's bytes; colour images are BGR."""
    done, data = cv2.imencode(extension, image)
    assert done
    return data.tobytes()


@pytest.fixture
def faces() -> Faces:
    return made_faces(64)
