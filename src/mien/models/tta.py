"""Test-time augmentation: predictions averaged over variants of each image."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

if TYPE_CHECKING:
    import keras

# Images predicted at once, which bounds the memory. Not by `model.predict`: TensorFlow's tuning of
# its input pipeline ends it up to twice as late as the last batch (docs/benchmarks.md).
BATCH = 256
# A shift of `crop`, as a fraction of the side: 4 pixels of 48.
SHIFT = 1 / 12


def predict(model: keras.Model, images: np.ndarray, tta: str, title: str) -> np.ndarray:
    """Return the model's probabilities, averaged over the variants of each image.

    `evaluate` averages by `evaluate.tta` on test only. The probabilities on validation, by which
    the champion and the ensemble's weights are chosen, are those of the unchanged images.

    Args:
        model: maps images to probabilities, (N, C).
        images: grey faces, uint8, shape (N, S, S), 0 to 255; possibly memory-mapped.
        tta: see `variants`.
        title: name of the progress bar.

    Returns:
        float32, shape (N, C).
    """
    starts = range(0, len(images), BATCH)
    means = []
    for start in tqdm(starts, title, delay=2, disable=None, file=sys.stderr):
        batch = variants(images[start : start + BATCH], tta)
        means.append(np.mean([model.predict_on_batch(each) for each in batch], 0, np.float64))
    return np.concatenate(means).astype(np.float32)


def variants(images: np.ndarray, tta: str) -> Iterator[np.ndarray]:
    """Yield the images, then their variants, each of the same shape and type.

    `none`: no variants. `flip`: the mirror images. `crop`: both at five positions, centre and
    four diagonal shifts by a twelfth of the side, with mirrored borders. That is the ten-crop of
    Krizhevsky et al. 2012 (ImageNet classification, NIPS 25) for a network with one input size.

    Args:
        images: shape (N, S, S); not written to.
        tta: `none`, `flip` or `crop`.
    """
    side = images.shape[1]
    margin = round(SHIFT * side) if tta == "crop" else 0
    # numpy's `reflect`, as in `mien.training.augmentation`, does not repeat the outermost pixels.
    padded = np.pad(images, ((0, 0), (margin, margin), (margin, margin)), "reflect")
    corners = [(top, left) for top in (0, 2 * margin) for left in (0, 2 * margin)]
    for top, left in [(margin, margin), *(corners if margin else [])]:
        crop = padded[:, top : top + side, left : left + side]
        # Copies, because torch does not accept arrays with negative strides.
        yield np.ascontiguousarray(crop)
        if tta != "none":
            yield np.ascontiguousarray(crop[:, :, ::-1])
