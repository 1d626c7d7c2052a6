"""Corruptions of faces, to measure the robustness of a model.

After Hendrycks and Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations, ICLR 2019 (arXiv:1903.12261), with five kinds at three severities, for small grey
faces. Lengths are fractions of the side, so that the effect does not depend on the size.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np


class Corruption(NamedTuple):
    """A way to corrupt images.

    Attributes:
        about: its effect and the meaning of the level.
        unit: the level's, for an axis.
        levels: levels for the severities from 1 up.
        apply: maps uint8 images, shape (N, S, S), a level and a random generator to new images.
    """

    about: str
    unit: str
    levels: tuple[float, ...]
    apply: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


def corrupt(images: np.ndarray, name: str, severity: int, seed: int) -> np.ndarray:
    """Return the corrupted images; random draws derive from (seed, corruption, severity).

    Args:
        images: grey faces, uint8, shape (N, S, S), 0 to 255; not written to.
        name: one of CORRUPTIONS.
        severity: from 1 (mild) to 3 (severe).
        seed: seed of the draws; the same seed and images give the same bytes.

    Returns:
        uint8, shape (N, S, S).
    """
    corruption = CORRUPTIONS[name]
    rng = np.random.default_rng((seed, list(CORRUPTIONS).index(name), severity))
    return corruption.apply(images, corruption.levels[severity - 1], rng)


def _blur(images: np.ndarray, level: float, _: np.random.Generator) -> np.ndarray:
    sigma = level * images.shape[1]
    return np.stack([cv2.GaussianBlur(image, (0, 0), sigma) for image in images])


def _noise(images: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    noisy = images + level * rng.standard_normal(images.shape, np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _darkness(images: np.ndarray, level: float, _: np.random.Generator) -> np.ndarray:
    return np.rint(images * np.float32(level)).astype(np.uint8)


def _rotation(images: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    side = images.shape[1]
    centre = ((side - 1) / 2, (side - 1) / 2)
    turns = [cv2.getRotationMatrix2D(centre, angle, 1) for angle in (-level, level)]
    sides = rng.integers(0, 2, len(images))
    # The mirrored border avoids visible edges, as in `mien.training.augmentation`.
    return np.stack(
        [
            cv2.warpAffine(image, turns[way], (side, side), borderMode=cv2.BORDER_REFLECT_101)
            for image, way in zip(images, sides, strict=True)
        ]
    )


def _occlusion(images: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    covered = np.array(images)
    side = images.shape[1]
    length = round(side * level**0.5)
    for image, (top, left) in zip(
        covered, rng.integers(0, side - length + 1, (len(images), 2)), strict=True
    ):
        image[top : top + length, left : left + length] = 0
    return covered


# Append new ones at the end: the draws derive from the position.
CORRUPTIONS = {
    "blur": Corruption(
        "Gaussian, standard deviation as a fraction of the side",
        "share of the side",
        (0.02, 0.035, 0.05),
        _blur,
    ),
    "noise": Corruption(
        "Gaussian, standard deviation in grey levels", "grey levels", (10, 20, 30), _noise
    ),
    "darkness": Corruption("grey levels times a factor", "factor", (0.5, 0.25, 0.1), _darkness),
    "rotation": Corruption("to the left or right, in degrees", "degrees", (10, 20, 40), _rotation),
    "occlusion": Corruption(
        "a black square in a random place, as a fraction of the area",
        "share of the area",
        (0.05, 0.15, 0.3),
        _occlusion,
    ),
}
