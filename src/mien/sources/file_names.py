"""Labels in the names of files: KDEF, JAFFE, and names such as `happy_1.jpg`.

KDEF's `AF01ANS.JPG` is session A, a woman, person 01, angry, straight; Lundqvist et al. 1998, The
Karolinska Directed Emotional Faces. JAFFE's `KA.AN1.39.tiff` is the person KA, angry; Lyons et al.
1998, Coding Facial Expressions with Gabor Wavelets.
"""

import re
from collections.abc import Callable

from mien.sources.files import Files, SourceFile, checked_label, innermost_split
from mien.sources.items import Entry, Reading

NAME = "labels in file names"
KDEF = re.compile(r"[AB]([FM]\d{2})(AF|AN|DI|HA|NE|SA|SU)(S|FL|FR|HL|HR)\.\w+", re.I)
JAFFE = re.compile(r"([A-Z]{2})\.(AN|DI|FE|HA|NE|SA|SU)\d+\.\d+\.tiff?", re.I)
CODES = {"AF": "fear", "AN": "angry", "DI": "disgust", "FE": "fear", "HA": "happy"}
CODES |= {"NE": "neutral", "SA": "sad", "SU": "surprise"}

# What a name says: label and person.
Told = tuple[str, str | None]


def recognises(files: Files) -> bool:
    """Tell whether all pictures of a folder have a label in their names, two different at least."""
    return bool(_folders(files))


def read(files: Files) -> Reading:
    """Return the pictures of the folders in which every name tells one label."""
    reading = Reading()
    for pictures, tells in _folders(files):
        for file in pictures:
            told = tells(file)
            assert told is not None  # noqa: S101 `_folders` has asked
            label = files.labels.of(told[0])
            reading.taken.append(file.path)
            if label is None:
                kind = f"pictures of {told[0]}, as data.labels says"
                reading.left_out[kind].append(file.path)
                continue
            split, part = innermost_split(file.folders), _top(file)
            subject = f"{part}/{told[1]}" if told[1] else None
            label = checked_label(label, file.path)
            reading.entries.append(Entry(file.path, label, split, file.read, part, subject))
    return reading


def _folders(files: Files) -> list[tuple[list[SourceFile], Callable[[SourceFile], Told | None]]]:
    """Return the pictures of each top folder whose names all tell a label, and what tells it."""
    tops: dict[str, list[SourceFile]] = {}
    for file in files.pictures:
        tops.setdefault(_top(file), []).append(file)
    found = []
    for pictures in tops.values():
        for tells in (_kdef, _jaffe, lambda file: _spoken(file, files)):
            told = [tells(file) for file in pictures]
            if all(told) and len({one[0] for one in told if one}) > 1:
                found.append((pictures, tells))
                break
    return found


def _top(file: SourceFile) -> str:
    return file.folders[0] if file.folders else ""


def _kdef(file: SourceFile) -> Told | None:
    found = KDEF.fullmatch(file.name)
    return (CODES[found[2].upper()], found[1].upper()) if found else None


def _jaffe(file: SourceFile) -> Told | None:
    found = JAFFE.fullmatch(file.name)
    return (CODES[found[2].upper()], found[1].upper()) if found else None


def _spoken(file: SourceFile, files: Files) -> Told | None:
    label = files.labels.within(file.stem)
    return (label, None) if label else None
