"""Charts and contact sheets as PNG files, the same bytes for the same numbers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def axes(width: float = 6.4, height: float = 4.8) -> tuple[Figure, Axes]:
    """Return a figure of `width` by `height` inches and its one pair of axes."""
    # Not pyplot: it keeps figures alive and picks a screen where there is one.
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def save(figure: Figure, path: Path) -> None:
    """Write `figure` to `path` as PNG, without the time and the software's version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=120, metadata={"Software": None})


def contact_sheet(
    images: Sequence[np.ndarray], captions: Sequence[str], columns: int, title: str = ""
) -> Figure:
    """Return a grid of pictures, each under its caption.

    Args:
        images: grey (H, W) or RGB (H, W, 3) uint8 arrays, 0 to 255, sizes may differ.
        captions: one line or more for each image.
        columns: pictures in a row.
        title: line above the sheet.
    """
    rows = max(1, -(-len(images) // columns))
    figure = Figure(figsize=(1.3 * columns, 1.5 * rows + 0.4), layout="constrained")
    if title:
        figure.suptitle(title)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for cell in grid:
        cell.set_axis_off()
    for cell, image, caption in zip(grid, images, captions, strict=False):
        cell.imshow(image, cmap="gray", vmin=0, vmax=255)
        cell.set_title(caption, fontsize=7)
    return figure
