"""AffectNet: the lists of its manual annotations, and the newer form with a file for each value.

`Manually_Annotated_file_lists/training.csv` names each picture, the box of its face and its
expression; in the newer form `annotations/17_exp.npy` holds the expression of `images/17.jpg`.
Codes: Mollahosseini et al. 2017, AffectNet, arXiv:1708.03985.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial

import cv2
import numpy as np

from mien.errors import SourceError
from mien.sources import file_list, tables
from mien.sources.files import Files, SourceFile, innermost_split
from mien.sources.items import Entry, Reading
from mien.sources.spool import png

NAME = "AffectNet"
CODES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt")
OTHERS = {"8": "none", "9": "uncertain", "10": "no face"}
COLUMNS = {"subdirectory_filepath", "expression"}
ANNOTATION = re.compile(r"(.*/)?annotations/(\d+)_exp\.npy")
# Where its pictures lie beside the folder of its lists.
FOLDERS = (
    "Manually_Annotated_Images",
    "Manually_Annotated/Manually_Annotated_Images",
    "Manually_Annotated",
    "",
)
SPLITS = {"training": "train", "validation": "test"}


def recognises(files: Files) -> bool:
    """Tell whether there is one of its lists or a file with the expression of a picture."""
    return bool(_lists(files)) or any(ANNOTATION.fullmatch(file.path) for file in files.every)


def read(files: Files) -> Reading:
    """Return its pictures, cut to the box of the face where the list has one.

    Its validation list is the test split: its authors publish no other test labels.
    """
    reading = Reading()
    pictures = {file.path: file for file in files.pictures}
    for file, form in _lists(files):
        reading.taken.append(file.path)
        split = SPLITS.get(file.stem.lower().split("_")[0]) or innermost_split((file.stem,))
        for _, row in tables.rows(file, form):
            _add_row(reading, row, file, split, pictures)
    for file in files.every:
        if found := ANNOTATION.fullmatch(file.path):
            _add_annotated(reading, file, found, pictures)
    if reading.entries:
        others = [f.path for f in files.every if re.search(r"_(aro|val|lnd)\.npy$", f.path)]
        reading.taken += others
    return reading


def _lists(files: Files) -> list[tuple[SourceFile, tables.Form]]:
    forms = ((file, tables.form(file)) for file in files.named(*tables.SUFFIXES))
    return [(file, form) for file, form in forms if form and set(form.columns) >= COLUMNS]


def _add_row(
    reading: Reading,
    row: dict[str, str],
    file: SourceFile,
    split: str | None,
    pictures: dict[str, SourceFile],
) -> None:
    path = row["subdirectory_filepath"].strip()
    around = "/".join(file.folders[:-1])
    places = (f"{around}/{folder}/{path}".lstrip("/") for folder in FOLDERS)
    picture = next((pictures[place] for place in places if place in pictures), None)
    if picture is None:
        reading.left_out[file_list.MISSING].append(f"{file.path}: {path}")
        return
    box = [row.get(f"face_{side}", "") for side in ("x", "y", "width", "height")]
    sides = [int(side) for side in box if side.lstrip("-").isdecimal()]
    reads = partial(_cut, picture, sides) if len(sides) == 4 else picture.read
    _add(reading, picture, row["expression"], split, reads)


FOLDERS = (
    "Manually_Annotated_Images",
    "Manually_Annotated",
    "Manually_Annotated/Manually_Annotated_Images",
    "",
)


def _add_annotated(
    reading: Reading, file: SourceFile, found: re.Match[str], pictures: dict[str, SourceFile]
) -> None:
    begin, number = found[1] or "", found[2]
    places = (f"{begin}images/{number}.{suffix}" for suffix in ("jpg", "png", "jpeg"))
    picture = next((pictures[place] for place in places if place in pictures), None)
    reading.taken.append(file.path)
    if picture is None:
        reading.left_out[file_list.MISSING].append(file.path)
        return
    try:
        with file.open() as stream:
            code = str(np.load(stream, allow_pickle=False).ravel()[0])
    except (ValueError, EOFError, IndexError, OSError) as error:
        raise SourceError(f"{file.path} holds no expression: {error}; get it anew") from error
    split = innermost_split(picture.folders)
    _add(reading, picture, code, "test" if split == "validation" else split, picture.read)


def _add(
    reading: Reading, picture: SourceFile, code: str, split: str | None, reads: Callable[[], bytes]
) -> None:
    code = file_list.plain(code)
    reading.taken.append(picture.path)
    if code in OTHERS:
        reading.left_out[f"AffectNet's pictures of {OTHERS[code]}"].append(picture.path)
    elif code in map(str, range(len(CODES))):
        entry = Entry(picture.path, CODES[int(code)], split, reads, "AffectNet")
        reading.entries.append(entry)
    else:
        raise SourceError(f"{picture.path}: expected AffectNet's codes 0 to 10, got {code[:40]!r}")


def _cut(picture: SourceFile, box: Sequence[int]) -> bytes:
    """Return the face in the box; the file itself where the box is the whole picture."""
    data = picture.read()
    left, top, width, height = box
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None:
        return data
    face = image[max(0, top) : top + height, max(0, left) : left + width]
    return data if face.size in (0, image.size) else png(face)
