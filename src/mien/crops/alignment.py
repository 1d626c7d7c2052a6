"""From a detected face to the square crop that a model takes.

The models are trained on crops like those of FER2013, so a crop here shows as much of the face as
these do. The constants were measured: YuNet was run on 1,500 training crops of FER2013 with a wide
border, and each constant is the median over the 1,331 faces with a score above 0.8. The best
predictor of the crop's side is the width of YuNet's box (1.31 times it; half of the crops are
within 8 %). The midpoint between eyes and mouth is at 0.56 of the crop's height.
"""

import math

import cv2
import numpy as np

from mien.crops.detection import Detection

# Side of the crop in widths of YuNet's box, and height of the midpoint of eyes and mouth in it.
SIDE, MIDDLE = 1.31, 0.56


def crop(grey: np.ndarray, face: Detection, size: int) -> np.ndarray:
    """Return the face in `grey`, uint8, (H, W), as (size, size), eyes level.

    Beyond the photo's edge its outermost pixels are repeated. Shrinking averages areas.
    """
    centre, side, angle = _frame(face)
    # Only the part under the rotated square: warpAffine accepts at most 32,766 pixels a side.
    reach = side * 0.71 + 2
    low = np.clip(np.floor(centre - reach), 0, None).astype(int)
    left, top = np.minimum(low, (grey.shape[1] - 1, grey.shape[0] - 1))
    right, bottom = np.maximum(np.ceil(centre + reach).astype(int), (left + 1, top + 1))
    near = grey[top:bottom, left:right]
    # Sampled in whole multiples of the size, so that no pixel of the photo is skipped.
    fine = size * max(1, math.ceil(side / size))
    scale = side / fine
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    start = centre - (left, top) + turn @ np.full(2, (1 - fine) / 2) - 0.5
    cubic_or_linear = cv2.INTER_CUBIC if scale < 1 else cv2.INTER_LINEAR
    square = cv2.warpAffine(
        near,
        np.column_stack([turn, start]),
        (fine, fine),
        flags=cubic_or_linear | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)


def _frame(face: Detection) -> tuple[np.ndarray, float, float]:
    """Return centre (x, y), side and clockwise angle, radians, of the crop in the photo."""
    right_eye, left_eye, _, right_corner, left_corner = face.landmarks
    eyes, mouth = (right_eye + left_eye) / 2, (right_corner + left_corner) / 2
    # The line between the eyes, and the line down to the mouth rotated by 90 degrees: in a profile
    # the eyes are so close together that their line alone is unreliable.
    across, down = left_eye - right_eye, mouth - eyes
    angle = math.atan2(across[1] - down[0], across[0] + down[1])
    side = SIDE * face.box[2]
    below = (0.5 - MIDDLE) * side
    centre = (eyes + mouth) / 2 + below * np.array([-math.sin(angle), math.cos(angle)])
    return centre, side, angle
