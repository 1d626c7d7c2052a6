"""Tables: FER2013 as a CSV of pixels, in either of Kaggle's formats.

`icml_face_data.csv` has the header `emotion, Usage, pixels`, spaces included, `fer2013.csv`
`emotion,pixels,Usage`. A row's pixels are the grey values of a square image, 0 to 255, row by row,
separated by spaces. Goodfellow et al. 2013, https://arxiv.org/abs/1307.0414.
"""

import csv
import io
import math
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import IO

import cv2
import numpy as np
from tqdm import tqdm

from mien.errors import SourceError
from mien.sources import layout
from mien.sources.items import Entry

CODES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
# Maximum length of a line, in characters: an image of 2,000 x 2,000 pixels.
LINE = 2**24


def is_table(stream: IO[bytes]) -> bool:
    """Return whether the first line of `stream` has a column `emotion` or `pixels`."""
    return not {"emotion", "pixels"}.isdisjoint(_header(stream))


def entries(stream: IO[bytes], path: PurePosixPath, folders: Sequence[str]) -> Iterator[Entry]:
    """Yield the rows of a table after all are read; their pixels are in a temporary file.

    Args:
        stream: the table's bytes, from the start.
        path: the table's path in the source; row R is named `PATH:R`, counted from 1.
        folders: folders around the table; they give the split if there is no `Usage`.

    Raises:
        SourceError: a column is missing or a row is invalid; the file and the row are named.
    """
    labels, splits = [], []
    side = 0
    rows = tqdm(_rows(stream, str(path)), desc=path.name, unit=" rows", delay=2, disable=None)
    with tempfile.TemporaryFile() as pixels:
        for label, split, image in rows:
            labels.append(label)
            splits.append(split or layout.split_of(folders))
            side = len(image)
            pixels.write(image.tobytes())
        if not labels:
            return
        pixels.flush()
        images = np.memmap(pixels, np.uint8, "r", shape=(len(labels), side, side))
    for row, (label, split) in enumerate(zip(labels, splits, strict=True)):
        yield Entry(f"{path}:{row + 1}", label, split, partial(_png, images, row))


def _header(stream: IO[bytes]) -> list[str]:
    line = stream.readline(4096).decode("utf-8-sig", "replace")
    return [column.strip(' \t\r\n"').lower() for column in line.split(",")]


def _rows(stream: IO[bytes], name: str) -> Iterator[tuple[str, str | None, np.ndarray]]:
    """Yield the class, the split and the uint8 image, shape (S, S), of each row."""
    header = _header(stream)
    for column in ("emotion", "pixels"):
        if column not in header:
            raise SourceError(
                f"{name} has no column {column!r}: expected emotion, pixels and perhaps Usage, "
                f"got {', '.join(header)[:60]!r}; use the CSV as Kaggle has it"
            )
    csv.field_size_limit(LINE)
    text = io.TextIOWrapper(stream, "utf-8", "replace", newline="")
    lines = csv.reader(iter(partial(text.readline, LINE), ""), skipinitialspace=True)
    number, size = 0, None
    try:
        for fields in lines:
            if not fields:
                continue
            number += 1
            if len(fields) != len(header):
                raise ValueError(f"expected {len(header)} fields, got {len(fields)}")
            row = dict(zip(header, fields, strict=True))
            image = _image(row["pixels"], size)
            size = image.size
            yield _label(row["emotion"]), _usage(row.get("usage")), image
    except csv.Error as error:
        raise SourceError(f"{name}: row {number + 1}: {error}; mend or remove it") from error
    except ValueError as error:
        raise SourceError(f"{name}: row {number}: {error}; mend or remove it") from error


def _label(code: str) -> str:
    if code.strip() not in map(str, range(len(CODES))):
        raise ValueError(f"expected an emotion code 0 to {len(CODES) - 1}, got {code[:40]!r}")
    return CODES[int(code)]


def _usage(usage: str | None) -> str | None:
    if usage is None:
        return None
    if usage.strip().lower() not in layout.SPLITS:
        raise ValueError(f"expected Usage Training, PublicTest or PrivateTest, got {usage[:40]!r}")
    return layout.SPLITS[usage.strip().lower()]


def _image(pixels: str, size: int | None) -> np.ndarray:
    """Return the square image of `size` grey values; None accepts any square number."""
    try:
        values = np.fromstring(pixels, np.int64, sep=" ")
    except ValueError:
        bad = next((word for word in pixels.split() if not word.isdecimal()), pixels)
        raise ValueError(f"expected whole grey values 0 to 255, got {bad[:40]!r}") from None
    side = math.isqrt(values.size)
    if size is None and (side == 0 or side**2 != values.size):
        raise ValueError(f"expected the pixels of a square image, got {values.size} values")
    if size is not None and values.size != size:
        raise ValueError(f"expected {size} pixels as in the rows before, got {values.size}")
    if values.min() < 0 or values.max() > 255:
        bad = values[(values < 0) | (values > 255)][0]
        raise ValueError(f"expected grey values 0 to 255, got {bad}")
    return values.astype(np.uint8).reshape(side, side)


def _png(images: np.ndarray, row: int) -> bytes:
    # Small faces have no repeated patterns: Huffman coding alone is smaller and faster.
    strategy = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY]
    return cv2.imencode(".png", images[row], strategy)[1].tobytes()
