"""Attention maps of a model, drawn over faces as heat maps."""

from collections.abc import Mapping

import cv2
import matplotlib
import numpy as np
from matplotlib.figure import Figure

from mien.faces import Faces
from mien.figures import contact_sheet

# Side of the overlay in pixels: a map has few positions and is interpolated.
SIDE = 144
# Maximum number of pictures in a row; a face and its maps stay together.
COLUMNS = 12


def attention_sheet(
    faces: Faces, probabilities: np.ndarray, maps: Mapping[str, np.ndarray], model: str
) -> Figure:
    """Return each face next to its maps: red for the largest weights, blue for the smallest.

    The colours of a map run from its own minimum to its own maximum, which are printed above it;
    otherwise differences within a face would not be visible.

    Args:
        faces: the N faces.
        probabilities: float, shape (N, C), columns in the order of `faces.classes`.
        maps: name of a stage to weights of its positions, shape (N, H, W).
        model: name for the title.
    """
    pictures, captions = [], []
    for row, image in enumerate(faces.images):
        predicted = faces.classes[probabilities[row].argmax()]
        pictures.append(image)
        captions.append(
            f"{faces.classes[faces.labels[row]]} → {predicted}\n"
            f"{100 * probabilities[row].max():.0f} %"
        )
        for stage, weights in maps.items():
            pictures.append(_heated(image, weights[row]))
            low, high = weights[row].min(), weights[row].max()
            captions.append(f"{stage.replace('_', ' ')}\n{low:.3f} to {high:.3f}")
    together = 1 + len(maps)
    columns = together * max(1, COLUMNS // together)
    title = f"What {model} attends to: red most, blue least\ntrue → predicted"
    return contact_sheet(pictures, captions, columns, title)


def _heated(image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the face under its map, RGB uint8, shape (SIDE, SIDE, 3)."""
    span = np.ptp(weights)
    heat = (weights - weights.min()) / span if span else np.full_like(weights, 0.5)
    heat = cv2.resize(heat, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    # Stretched to 32..224, neither black nor white, so that the colours are visible everywhere.
    face = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    face = 32 + 192 * (face - face.min()) / max(np.ptp(face), 1)
    colours = 255 * matplotlib.colormaps["coolwarm"](heat)[..., :3]
    return (0.5 * face[..., None] + 0.5 * colours).astype(np.uint8)
