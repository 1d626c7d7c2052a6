"""Any grey picture becomes the square that models read."""

import cv2
import numpy as np


def square(grey: np.ndarray, size: int) -> np.ndarray:
    """Return `grey`, uint8, shape (H, W), as (size, size); one of that size as it is.

    Shrinking averages areas; what is smaller than `size` on a side is interpolated. The sides'
    proportion is not kept.
    """
    if grey.shape == (size, size):
        return grey
    shrinks = min(grey.shape) >= size
    return cv2.resize(
        grey, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    )
