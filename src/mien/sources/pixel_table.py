"""Tables of pixels: FER2013 as Kaggle has it, and every dialect of it that people have.

`icml_face_data.csv` has the header `emotion, Usage, pixels`, spaces included, `fer2013.csv`
`emotion,pixels,Usage`, and `ckextended.csv` the emotion 7. A row's pixels are the grey values of a
square image, 0 to 255, row by row, in one cell or in a column each. Codes of the emotions:
Goodfellow et al. 2013, https://arxiv.org/abs/1307.0414, with contempt as 7 in ckextended.csv.
"""

import math
import re
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from tqdm import tqdm

from mien.errors import SourceError
from mien.labels import Labels
from mien.sources import tables
from mien.sources.files import Files, SourceFile, checked_label, innermost_split, split_of
from mien.sources.items import Entry, Reading
from mien.sources.spool import Block, Spool, png, together

NAME = "table of pixels"
CODES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "contempt")
ODD, EMPTY = "tables without a column of labels", "tables without a row"


def recognises(files: Files) -> bool:
    """Tell whether there is a table with a column of pixels, or with one for each pixel."""
    return any(form.pixels for _, form in _tables(files))


def read(files: Files) -> Reading:
    """Return a picture for each row; a table whose pictures another table holds is left out.

    Raises:
        SourceError: a row is bad; file and row are named.
    """
    blocks = []
    odd: dict[str, list[str]] = {ODD: [], EMPTY: []}
    for file, form in _tables(files):
        if not form.pixels:
            continue
        if form.column(tables.LABELS):
            if (block := _block(file, form, files)).entries:
                blocks.append(block)
            else:
                odd[EMPTY].append(file.path)
        else:
            odd[ODD].append(file.path)
    reading = together(blocks)
    for kind, paths in odd.items():
        if paths:
            reading.taken += paths
            reading.left_out[kind] += paths
    return reading


def _tables(files: Files) -> Iterator[tuple[SourceFile, tables.Form]]:
    for file in files.named(*tables.SUFFIXES):
        if form := tables.form(file):
            yield file, form


def _block(file: SourceFile, form: tables.Form, files: Files) -> Block:
    block, spool, size = Block([file.path]), Spool(), None
    usage, label_column = form.column(tables.USAGES), form.column(tables.LABELS)
    pixels, wide = form.column(tables.PIXELS), form.wide
    asked = [name for name in files.groups if name.lower() in form.columns]
    around = innermost_split((*file.folders, file.stem.split(".")[0]))
    part = "/".join(file.folders)
    bar = tqdm(tables.rows(file, form), desc=file.name, unit=" rows", delay=2, disable=None)
    for number, row in bar:
        try:
            label = _label(row[label_column or ""], files.labels)
            split = _usage(row[usage]) if usage else around
            values = row[pixels] if pixels else " ".join(row[name] for name in wide)
            image = _image(values, size)
        except ValueError as error:
            raise SourceError(f"{file.path}: row {number}: {error}; mend or remove it") from error
        size = image.size
        if label is not None:
            reads = partial(_read, spool.add(image.tobytes()), len(image))
            label = checked_label(label, file.path)
            groups = {name: row[name.lower()] for name in asked}
            name = f"{file.path}:{number}"
            block.add(Entry(name, label, split, reads, part, None, groups), image.tobytes())
    return block


def _label(text: str, labels: Labels) -> str | None:
    """Return the class; None: data.labels leaves it out."""
    code = re.sub(r"\.0+$", "", text.strip())
    for known in (text, code):
        if labels.means(known):
            return labels.of(known)
    if code in map(str, range(len(CODES))):
        return CODES[int(code)]
    raise ValueError(
        f"expected an emotion, as its code 0 to {len(CODES) - 1} or its name, got {text[:40]!r}"
    )


def _usage(usage: str) -> str:
    split = split_of(usage)
    if split is None:
        raise ValueError(f"expected Usage Training, PublicTest or PrivateTest, got {usage[:40]!r}")
    return split


def _image(pixels: str, size: int | None) -> np.ndarray:
    """Return the square image of `size` grey values; None: as many as there are."""
    plain = re.sub(r"[\[\](),;]", " ", pixels)
    try:
        values = np.fromstring(plain, np.int64, sep=" ")
    except ValueError:
        bad = next((word for word in plain.split() if not word.isdecimal()), plain)
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


def _read(spooled: Callable[[], bytes], side: int) -> bytes:
    return png(np.frombuffer(spooled(), np.uint8).reshape(side, side))
