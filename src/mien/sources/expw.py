"""ExpW: whole pictures, with a line for each face in `label.lst`.

A line has the picture, the face's number, its box (top, left, right, bottom), the detector's
confidence and the expression. Codes: Zhang et al. 2018, From Facial Expression Recognition to
Interpersonal Relation Prediction, IJCV 126, arXiv:1609.06426.
"""

from collections import defaultdict
from functools import partial

import cv2
import numpy as np

from mien.errors import SourceError
from mien.sources.file_list import MISSING
from mien.sources.files import Files, SourceFile
from mien.sources.items import Entry, Reading
from mien.sources.spool import png

NAME = "ExpW"
CODES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
FIELDS = 8


def recognises(files: Files) -> bool:
    """Tell whether there is a `label.lst` of its form."""
    return bool(_lists(files))


def read(files: Files) -> Reading:
    """Return each face, cut out of its picture.

    Raises:
        SourceError: a line is bad; it is named.
    """
    reading = Reading()
    by_name = defaultdict(list)
    for picture in files.pictures:
        by_name[picture.name].append(picture)
    for file, lines in _lists(files):
        reading.taken.append(file.path)
        for number, line in enumerate(lines, 1):
            name, face, *numbers = line.split()
            found = by_name.get(name.rpartition("/")[2])
            if not found:
                reading.left_out[MISSING].append(f"{file.path}: {name}")
                continue
            try:
                top, left, right, bottom = (int(side) for side in numbers[:4])
                label = CODES[int(numbers[5])]
            except (ValueError, IndexError) as error:
                raise SourceError(
                    f"{file.path}: row {number}: expected a box and a code 0 to 6, got "
                    f"{line[:80]!r}; mend or remove it"
                ) from error
            reading.taken.append(found[0].path)
            reads = partial(_cut, found[0], (top, left, right, bottom))
            reading.entries.append(Entry(f"{found[0].path}#{face}", label, None, reads, "ExpW"))
    return reading


def _lists(files: Files) -> list[tuple[SourceFile, list[str]]]:
    found = []
    for file in files.named("label.lst"):
        with file.open() as stream:
            lines = stream.read().decode("utf-8", "replace").splitlines()
        lines = [line for line in lines if line.strip()]
        if lines and all(len(line.split()) == FIELDS for line in lines):
            found.append((file, lines))
    return found


def _cut(picture: SourceFile, box: tuple[int, int, int, int]) -> bytes:
    data = picture.read()
    top, left, right, bottom = box
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        return data
    face = image[max(0, top) : bottom, max(0, left) : right]
    # An empty box becomes a finding of the audit: it decodes to nothing.
    return png(face) if face.size else b""
