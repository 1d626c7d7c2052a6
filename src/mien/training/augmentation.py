"""Augmentation of faces: pose, light, blur, noise and occlusion, drawn for each image."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from mien.faces import BLOCK, Faces, SpooledImages

if TYPE_CHECKING:
    from mien.params import Augment

# Maximum aspect ratio of a rectangle of random erasing.
LONGEST = 1 / 0.3
# The value at which an operation has no effect; `strength` scales the distance from it.
NEUTRAL = {"brightness": 1, "zoom": 1, "rotation": 0, "shear": 0, "erase": 0, "blur": 0, "noise": 0}
LIMITS = {"brightness": (0.05, np.inf), "zoom": (0.1, np.inf), "erase": (0, 1)}
LIMITS |= {"blur": (0, np.inf), "noise": (0, np.inf)}

# Of the preview: faces, and variations of each.
EXAMPLES, VARIATIONS = 10, 9


def vary(images: np.ndarray, rng: np.random.Generator, augment: Augment) -> np.ndarray:
    """Return each image augmented once.

    `params.Augment` has the operations; erasing and then noise are the last two. The geometric ones
    are combined into one affine map about the centre and one bilinear resampling, with mirrored
    borders, so that no edge of the frame is visible.

    Args:
        images: uint8, shape (N, S, S), 0 to 255; not written to.
        rng: source of all random draws; an image's draws do not depend on which are applied.
        augment: probability and range of each operation.

    Returns:
        uint8, shape (N, S, S). An image to which no operation is applied is returned unchanged.
    """
    draws = _draw(len(images), images.shape[1], rng, augment)
    return draws.applied(images, slice(None), rng)


@dataclass(frozen=True)
class _Draws:
    """The operations for each image: drawn for all images at once, applied to some at a time."""

    maps: np.ndarray
    moved: np.ndarray
    sigmas: np.ndarray
    factors: np.ndarray
    boxes: np.ndarray
    noises: np.ndarray

    def applied(self, images: np.ndarray, rows: slice, rng: np.random.Generator) -> np.ndarray:
        """Return `images`, those at `rows` of all, augmented; `rng` draws the noise by row."""
        maps, sigmas, factors = self.maps[rows], self.sigmas[rows], self.factors[rows]
        boxes, noises = self.boxes[rows], self.noises[rows]
        varied = np.array(images)
        size = images.shape[1:]
        for row in np.flatnonzero(self.moved[rows]):
            cv2.warpAffine(
                images[row], maps[row], size, varied[row], borderMode=cv2.BORDER_REFLECT_101
            )
        for row in np.flatnonzero(sigmas):
            cv2.GaussianBlur(varied[row], (0, 0), sigmas[row], varied[row])
        for row in np.flatnonzero(factors != 1):
            cv2.convertScaleAbs(varied[row], varied[row], alpha=factors[row])
        for image, (top, left, high, wide), sd in zip(varied, boxes, noises, strict=True):
            if high * wide:
                image[top : top + high, left : left + wide] = rng.integers(
                    0, 256, (high, wide), dtype=np.uint8
                )
            if sd:
                noisy = image + np.float32(sd) * rng.standard_normal(size, np.float32)
                image[:] = np.clip(np.rint(noisy), 0, 255)
        return varied


def _draw(count: int, side: int, rng: np.random.Generator, augment: Augment) -> _Draws:
    """Draw the operations for `count` images."""
    maps, moved = _affine_maps(count, side, rng, augment)
    factors = _drawn("brightness", count, rng, augment)
    boxes = _boxes(count, side, rng, augment)
    sigmas = side * _drawn("blur", count, rng, augment)
    return _Draws(maps, moved, sigmas, factors, boxes, _drawn("noise", count, rng, augment))


def _drawn(name: str, count: int, rng: np.random.Generator, augment: Augment) -> np.ndarray:
    """Return an operation's value for each image, NEUTRAL if it is not applied."""
    operation, neutral = getattr(augment, name), NEUTRAL[name]
    if not operation.probability:
        # Draws nothing, so that the draws of the other operations stay the same.
        return np.full(count, float(neutral))
    applied = rng.random(count) < operation.probability
    low, high = operation.range
    distance = augment.strength * (rng.uniform(low, high, count) - neutral)
    # A factor of 0 or less would leave no face, and a rectangle cannot exceed the image.
    lowest, highest = LIMITS.get(name, (-np.inf, np.inf))
    return np.where(applied, np.clip(neutral + distance, lowest, highest), neutral)


def _affine_maps(
    count: int, side: int, rng: np.random.Generator, augment: Augment
) -> tuple[np.ndarray, np.ndarray]:
    """Return forward maps in pixels, (count, 2, 3), and which of them are not the identity.

    A map flips, then zooms, shears and rotates about the centre, then shifts; y points down.
    """
    mirror = np.where(rng.random(count) < augment.flip.probability, -1.0, 1.0)
    zoom = _drawn("zoom", count, rng, augment)
    shear = _drawn("shear", count, rng, augment)
    angle = np.deg2rad(_drawn("rotation", count, rng, augment))
    shifted = rng.random(count) < augment.shift.probability
    shift = augment.strength * rng.uniform(*augment.shift.range, (2, count)) * shifted * side

    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.empty((count, 2, 2))
    linear[:, 0, 0] = zoom * mirror * cos
    linear[:, 1, 0] = -zoom * mirror * sin
    linear[:, 0, 1] = zoom * (shear * cos + sin)
    linear[:, 1, 1] = zoom * (cos - shear * sin)
    centre = np.full(2, (side - 1) / 2)
    offset = centre - linear @ centre + shift.T
    maps = np.concatenate([linear, offset[:, :, None]], axis=2)
    return maps, (maps != np.eye(2, 3)).any(axis=(1, 2))


def _boxes(count: int, side: int, rng: np.random.Generator, augment: Augment) -> np.ndarray:
    """Return top, left, height and width of the erased rectangle: int, (count, 4).

    Random erasing (Zhong et al. 2017, arXiv:1708.04896) with random grey levels. Unlike there,
    the aspect ratio is drawn on a log scale, so that tall and wide are equally likely, and is
    limited so that the rectangle fits the image, so that no draw is repeated.
    """
    area = _drawn("erase", count, rng, augment)
    longest = np.minimum(LONGEST, 1 / np.maximum(area, 1e-9))
    aspect = longest ** rng.uniform(-1, 1, count)
    height = np.rint(side * np.sqrt(area * aspect)).astype(int)
    width = np.rint(side * np.sqrt(area / aspect)).astype(int)
    top = rng.integers(0, side - height + 1)
    left = rng.integers(0, side - width + 1)
    return np.stack([top, left, height, width], axis=1)


def training_set(faces: Faces, augment: Augment, seed: int) -> Faces:
    """Return the faces, `augment.copies` augmented copies of each, and images to balance classes.

    Balancing counts originals and copies. `mirror` fills the smaller classes with mirrored
    images up to the size of the largest class; each image is mirrored at most once.

    Args:
        faces: the train split, never another one.
        augment: copies, balance and operations.
        seed: equal seeds give equal images.

    Returns:
        Originals in their order, then the copies, then the mirrored images; the images are in a
        temporary file. A copy has the name, label, group and targets of its original; `copy`
        numbers the copies of an original.
    """
    rng = np.random.default_rng(seed)
    every = np.arange(len(faces))
    images = SpooledImages(faces.images[0].shape[0])
    for start in every[::BLOCK]:
        images.append(faces.images[start : start + BLOCK])
    for _ in tqdm(range(augment.copies), "varied copies", delay=2, disable=None, file=sys.stderr):
        _append_varied(images, faces, rng, augment)
    rows = np.tile(every, augment.copies + 1)
    if augment.balance == "mirror":
        sources = _missing(faces.labels[rows], rng)
        for start in range(0, len(sources), BLOCK):
            images.append(images[sources[start : start + BLOCK]][:, :, ::-1])
        rows = np.concatenate([rows, rows[sources]])
    index = faces.index.iloc[rows].reset_index(drop=True)
    copy = pd.Series(rows).groupby(rows).cumcount()
    targets = None if faces.targets is None else faces.targets[rows]
    return Faces(images, index.assign(copy=copy.to_numpy(np.int64)), targets)


def _append_varied(
    images: SpooledImages, faces: Faces, rng: np.random.Generator, augment: Augment
) -> None:
    """Append all faces, each augmented once, to `images`."""
    draws = _draw(len(faces), faces.images[0].shape[0], rng, augment)
    for start in range(0, len(faces), BLOCK):
        block = slice(start, start + BLOCK)
        images.append(draws.applied(faces.images[block], block, rng))


def _missing(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return rows of `labels`, in random order by class, that fill the smaller classes.

    A row occurs at most once, so a class grows to at most twice its size.
    """
    counts = np.bincount(labels)
    rows = [
        rng.permutation(np.flatnonzero(labels == code))[: counts.max() - counts[code]]
        for code in np.flatnonzero(counts)
    ]
    return np.concatenate(rows)


def preview(faces: Faces, augment: Augment, seed: int) -> tuple[list[np.ndarray], list[str]]:
    """Return rows of a face and its variations, uint8, shape (S, S), and their captions.

    A row has 1 + VARIATIONS pictures; the EXAMPLES faces alternate between the classes.
    """
    turn = faces.index.groupby("label", observed=True).cumcount().to_numpy()
    rng = np.random.default_rng((seed, 1))
    pictures, captions = [], []
    for row in np.lexsort((faces.labels, turn))[:EXAMPLES]:
        image = np.asarray(faces.images[row])
        pictures += [image, *vary(np.repeat(image[None], VARIATIONS, axis=0), rng, augment)]
        captions += [faces.index["label"].iloc[row], *[""] * VARIATIONS]
    return pictures, captions
