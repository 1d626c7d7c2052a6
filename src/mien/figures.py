"""The colours of the classes; charts and contact sheets as PNG files, the same bytes each time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

# `mien predict` takes its colours from here and needs no matplotlib.
if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Distinct with each form of colour blindness: those of Okabe and Ito without the yellow, which is
# hardly visible on white. live/live.js and .dvc/plots/model_curves.json have the same.
KNOWN = {
    "angry": "#D55E00",
    "contempt": "#332288",
    "disgust": "#009E73",
    "fear": "#CC79A7",
    "happy": "#E69F00",
    "neutral": "#606060",
    "sad": "#0072B2",
    "surprise": "#56B4E9",
}
# Of classes with other names, in alphabetical order: from Tol's muted scheme.
OTHERS = ("#882255", "#999933", "#44AA99", "#AA4499", "#117733")
UNKNOWN = "#FFFFFF"


def colours(classes: Sequence[str]) -> dict[str, str]:
    """Return the colour of each class, `#RRGGBB`, whatever the order of the classes."""
    others = sorted(set(classes) - set(KNOWN))
    places = {label: OTHERS[place % len(OTHERS)] for place, label in enumerate(others)}
    return {label: KNOWN.get(label) or places[label] for label in classes}


def axes(width: float = 6.4, height: float = 4.8) -> tuple[Figure, Axes]:
    """Return a figure of `width` by `height` inches and its one pair of axes."""
    from matplotlib.figure import Figure

    # Not pyplot, which keeps references to figures and selects a display backend.
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def save(figure: Figure, path: Path) -> None:
    """Write `figure` to `path` as PNG, without a timestamp and the software's version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=120, metadata={"Software": None})


def contact_sheet(
    images: Sequence[np.ndarray], captions: Sequence[str], columns: int, title: str = ""
) -> Figure:
    """Return a grid of pictures, each under its caption.

    Args:
        images: grey (H, W) or RGB (H, W, 3) uint8 arrays, 0 to 255; sizes may differ.
        captions: one or more lines for each image.
        columns: pictures per row.
        title: title of the sheet.
    """
    from matplotlib.figure import Figure

    side, gap = 1.2, 0.1
    rows = max(1, -(-len(images) // columns))
    width, height = columns * (side + gap) + gap, rows * (side + 0.35) + 0.4 + gap
    figure = Figure(figsize=(width, height))
    # One pair of axes, in inches: a pair per picture would take several times as long.
    sheet = figure.add_axes((0, 0, 1, 1))
    sheet.set_axis_off()
    sheet.text(width / 2, 0.2, title, ha="center", va="center", fontsize=11, wrap=True)
    for place, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(place, columns)
        left, top = gap + column * (side + gap), 0.7 + row * (side + 0.35)
        tall, wide = (side * length / max(image.shape[:2]) for length in image.shape[:2])
        extent = (left, left + wide, top + tall, top)
        sheet.imshow(image, cmap="gray", vmin=0, vmax=255, extent=extent)
        sheet.text(left + side / 2, top - 0.03, caption, ha="center", va="bottom", fontsize=7)
    sheet.set(xlim=(0, width), ylim=(height, 0))
    return figure
