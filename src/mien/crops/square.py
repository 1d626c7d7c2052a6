"""Resize a grey picture to the square that models take."""

import cv2
import numpy as np


def square(grey: np.ndarray, size: int) -> np.ndarray:
    """Return `grey`, uint8, shape (H, W), as (size, size); unchanged if it has that size.

    Shrinking averages areas; if a side is smaller than `size`, the picture is interpolated. The
    aspect ratio is not kept.
    """
    if grey.shape == (size, size):
        return grey
    shrinks = min(grey.shape) >= size
    return cv2.resize(
        grey, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    )
