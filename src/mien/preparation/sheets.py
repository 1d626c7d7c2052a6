"""Contact sheets of the audit; they show faces and so stay out of Git."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mien import figures
from mien.faces import BLOCK, SpooledImages
from mien.preparation.audit_tables import KEYS
from mien.preparation.splits import SPLITS

# The measure by which the worst pictures of a finding are ranked, and whether low is worse.
WORST = {
    "dark": ("mean", True),
    "bright": ("mean", False),
    "blurred": ("sharpness", True),
    "blank": ("std", True),
    "colour": ("spread", False),
    "resized": ("height", True),
}
COLUMNS = 10
ROWS = 8
MEMBERS = 6
MIN_COLUMNS = 4  # Width that a title needs.
CAPTION = 16  # Characters of a name that fit under a picture.

# Images of a row, each with its caption.
Line = list[tuple[np.ndarray, str]]


def sheets(
    table: pd.DataFrame,
    images: np.ndarray | SpooledImages,
    found: pd.DataFrame,
    reason: pd.Series,
    classes: Sequence[str],
) -> Iterator[tuple[str, Figure]]:
    """Yield each contact sheet of faces and its name.

    `samples` and `mean_faces` show the kept images of each class. A sheet named after a finding
    shows its worst images; for duplicates one group per row, preferably groups across splits.

    Args:
        table: table of images, see `mien.preparation.audit`.
        images: uint8, shape (N, S, S), grey.
        found: their findings.
        reason: why each is dropped, "" if kept.
        classes: in order.
    """
    kept = table[reason == ""]
    samples = [
        [(images[row], label) for row in rows.index[_evenly(len(rows), COLUMNS)]]
        for label in classes
        if len(rows := kept[kept["label"] == label])
    ]
    means = [
        [
            (_stretched(_mean(images, rows.index.to_numpy())), f"{label}\n{split}: {len(rows)}")
            for label in classes
            if len(rows := kept[(kept["split"] == split) & (kept["label"] == label)])
        ]
        for split in SPLITS
    ]
    drawn = [
        ("samples", samples, "Kept images of each class"),
        ("mean_faces", means, "Mean of the kept images, contrast stretched"),
        *_worst(table, images, found),
        *_groups(table, images, found),
    ]
    for name, lines, title in drawn:
        if lines:
            yield name, _sheet(lines, title)


def _worst(
    table: pd.DataFrame, images: np.ndarray | SpooledImages, found: pd.DataFrame
) -> Iterator[tuple[str, list[Line], str]]:
    for finding, (measure, low) in WORST.items():
        # Blank images are also dark or bright and have no edges: they would fill the other sheets.
        rows = table[found[finding] & (~found["blank"] | (finding == "blank"))]
        worst = rows.sort_values([measure, "name"], ascending=[low, True])
        cells = [
            (images[row.Index], f"{row.label} {getattr(row, measure):.0f}\n{_short(row.name)}")
            for row in worst.iloc[: COLUMNS * ROWS // 2].itertuples()
        ]
        lines = [cells[start : start + COLUMNS] for start in range(0, len(cells), COLUMNS)]
        yield finding, lines, f"Worst of {len(rows)} {finding}, by {measure}"


def _groups(
    table: pd.DataFrame, images: np.ndarray | SpooledImages, found: pd.DataFrame
) -> Iterator[tuple[str, list[Line], str]]:
    for finding, key in KEYS.items():
        rows = table[found[finding]]
        lines = [
            [
                (images[row.Index], f"{row.label}, {row.split}\n{_short(row.name)}")
                for row in members.iloc[:MEMBERS].itertuples()
            ]
            for members in _examples(rows, key)
        ]
        title = f"{finding}: {len(lines)} of {rows[key].nunique()} groups, one a row"
        yield finding, lines, title


def _examples(rows: pd.DataFrame, key: str) -> list[pd.DataFrame]:
    """Return the members of up to ROWS groups, evenly chosen, from those across splits if any."""
    across = rows.groupby(key)["split"].transform("nunique") > 1
    shown = rows[across] if across.any() else rows
    names = shown[key].drop_duplicates().to_numpy()
    chosen = names[_evenly(len(names), ROWS)]
    return [rows[rows[key] == name].sort_values(["split", "name"]) for name in chosen]


def _evenly(count: int, most: int) -> np.ndarray:
    """Return up to `most` indices, evenly spaced in range(count)."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))


def _mean(images: np.ndarray | SpooledImages, rows: np.ndarray) -> np.ndarray:
    """Return the mean of the images at `rows`, float64, shape (S, S)."""
    starts = range(0, len(rows), BLOCK)
    return sum(images[rows[start : start + BLOCK]].sum(0, np.int64) for start in starts) / len(rows)


def _stretched(image: np.ndarray) -> np.ndarray:
    """Return the image stretched from black to white, because a mean has little contrast."""
    return np.interp(image, (image.min(), image.max()), (0, 255))


def _short(name: str) -> str:
    return name if len(name) <= CAPTION else f"…{name[1 - CAPTION :]}"


def _sheet(lines: Sequence[Line], title: str) -> Figure:
    """Return a sheet with one line of images and captions a row."""
    columns = max(MIN_COLUMNS, *(len(line) for line in lines))
    white = (np.full((1, 1), 255, np.uint8), "")
    cells = [cell for line in lines for cell in [*line, *[white] * (columns - len(line))]]
    return figures.contact_sheet(
        [image for image, _ in cells], [caption for _, caption in cells], columns, title
    )
