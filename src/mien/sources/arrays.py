"""Arrays of NumPy: pictures and labels as `X.npy` and `y.npy`, or together in a `.npz`."""

import re
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from mien.errors import SourceError
from mien.sources.file_list import plain
from mien.sources.files import Files, SourceFile, checked_label, innermost_split, unknown_codes
from mien.sources.items import Entry, Reading
from mien.sources.spool import Block, png, together

NAME = "NumPy arrays"
PICTURES = re.compile(r"(x|images?|faces?|pixels|data)(?=_|$)", re.I)
LABELS = re.compile(r"(y|labels?|targets?|emotions?|expressions?)(?=_|$)", re.I)


def recognises(files: Files) -> bool:
    """Tell whether there are pictures and labels in such files."""
    return any(True for _ in _pairs(files))


def read(files: Files) -> Reading:
    """Return a picture for each row of the arrays.

    Raises:
        SourceError: an array is damaged, holds objects or no pictures, the two differ in length,
            or the labels are codes whose meaning is not known.
    """
    pairs = list(_pairs(files))
    return together([_block(paths, pictures, labels, files) for paths, pictures, labels in pairs])


def _pairs(files: Files) -> Iterator[tuple[list[str], Any, Any]]:
    """Yield the files of each pair of arrays, and what loads its pictures and its labels."""
    single = {
        (str(PurePosixPath(file.path).parent), file.stem): file for file in files.named(".npy")
    }
    for (folder, stem), file in single.items():
        if PICTURES.match(stem):
            rest = PICTURES.sub("", stem, count=1)
            for (other, name), marks in single.items():
                if other == folder and LABELS.match(name) and LABELS.sub("", name, count=1) == rest:
                    loads = partial(_loaded, file), partial(_loaded, marks)
                    yield [file.path, marks.path], *loads
    for file in files.named(".npz"):
        for pictures, labels in _members(file):
            yield [file.path], partial(_member, file, pictures), partial(_member, file, labels)


def _members(file: SourceFile) -> list[tuple[str, str]]:
    """Return the names of arrays of pictures and of their labels in a `.npz`."""
    try:
        with file.open() as stream, np.load(stream, allow_pickle=False) as arrays:
            names = list(arrays.files)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise SourceError(f"{file.path} is no sound .npz file: {error}") from error
    rests = {LABELS.sub("", name, count=1): name for name in names if LABELS.match(name)}
    found = [(name, PICTURES.sub("", name, count=1)) for name in names if PICTURES.match(name)]
    return [(name, rests[rest]) for name, rest in found if rest in rests]


def _loaded(file: SourceFile) -> np.ndarray:
    try:
        with file.open() as stream:
            return np.load(stream, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise SourceError(f"{file.path} cannot be read: {error}; save a plain array") from error


def _member(file: SourceFile, name: str) -> np.ndarray:
    try:
        with file.open() as stream, np.load(stream, allow_pickle=False) as arrays:
            return arrays[name]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise SourceError(f"{file.path}: {name} cannot be read: {error}") from error


def _block(paths: list[str], pictures: Any, labels: Any, files: Files) -> Block:
    images, marks = _images(paths[0], pictures()), labels()
    if marks.ndim == 2:
        # One-hot rows.
        marks = marks.argmax(axis=1)
    if marks.ndim != 1 or len(marks) != len(images):
        raise SourceError(
            f"{' and '.join(paths)}: expected a label for each picture, got {len(images):,} "
            f"pictures and labels of shape {marks.shape}"
        )
    texts = [plain(str(mark)) for mark in marks.tolist()]
    unknown = [text for text in texts if not files.labels.means(text)]
    if unknown:
        raise unknown_codes(paths[-1], unknown)
    path = PurePosixPath(paths[0])
    split = innermost_split((*path.parts[:-1], re.sub(PICTURES, "", path.stem)))
    block, part = Block(paths), str(path.parent)
    for row, (image, text) in enumerate(zip(images, texts, strict=True), 1):
        label = files.labels.of(text)
        if label is not None:
            label = checked_label(label, paths[0])
            reads = partial(png, image)
            block.add(Entry(f"{paths[0]}:{row}", label, split, reads, part), image.tobytes())
    return block


def _images(path: str, array: np.ndarray) -> np.ndarray:
    """Return the array as pictures, uint8, shape (N, H, W) or (N, H, W, 3) with blue first."""
    if array.ndim == 2:
        side = round(array.shape[1] ** 0.5)
        if side * side == array.shape[1]:
            array = array.reshape(-1, side, side)
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if array.ndim == 4 and array.shape[3] == 3:
        array = array[..., ::-1]
    fits = array.ndim in (3, 4) and array.size and array.dtype.kind in "uif"
    if not fits or (array.ndim == 4 and array.shape[3] != 3):
        raise SourceError(
            f"{path}: expected pictures of shape (N, H, W), (N, H, W, 1) or (N, H, W, 3), got "
            f"{array.dtype} of shape {array.shape}"
        )
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= 255):
        raise SourceError(f"{path}: expected values 0 to 1 or 0 to 255, got {low:g} to {high:g}")
    # Floats of 0 to 1 are grey levels divided by 255.
    scale = 255 if array.dtype.kind == "f" and high <= 1 else 1
    return np.ascontiguousarray(np.rint(array * scale).astype(np.uint8))
