"""CK+ in its authors' form: sequences of frames, of which the last one shows the emotion.

`Emotion/S005/001/S005_001_00000011_emotion.txt` holds the code of the sequence
`cohn-kanade-images/S005/001/`. Codes: Lucey et al. 2010, The Extended Cohn-Kanade Dataset, CVPR
Workshops. (CK+48, its common copy, is read as class folders.)
"""

import re
from collections import defaultdict

from mien.errors import SourceError
from mien.sources.files import Files, SourceFile
from mien.sources.items import Entry, Reading

NAME = "CK+"
CODES = {1: "angry", 2: "contempt", 3: "disgust", 4: "fear", 5: "happy", 6: "sad", 7: "surprise"}
EMOTION = re.compile(r"(S\d+)_(\d+)_(\d+)_emotion\.txt", re.I)
FRAME = re.compile(r"(S\d+)_(\d+)_(\d+)\.\w+", re.I)


def recognises(files: Files) -> bool:
    """Tell whether there are files of emotions."""
    return any(EMOTION.fullmatch(file.name) for file in files.every)


def read(files: Files) -> Reading:
    """Return the last frame of each sequence that has an emotion; the other frames are left out.

    Raises:
        SourceError: a file of emotions holds no code.
    """
    reading = Reading()
    sequences: dict[tuple[str, str], list[tuple[int, SourceFile]]] = defaultdict(list)
    for file in files.pictures:
        if found := FRAME.fullmatch(file.name):
            sequences[found[1].upper(), found[2]].append((int(found[3]), file))
    labels = {}
    for file in files.every:
        if found := EMOTION.fullmatch(file.name):
            labels[found[1].upper(), found[2]] = _label(file)
            reading.taken.append(file.path)
    for key, frames in sequences.items():
        *others, (_, last) = sorted(frames, key=lambda frame: frame[0])
        reading.taken += [file.path for _, file in frames]
        if label := labels.get(key):
            entry = Entry(last.path, label, None, last.read, "CK+", subject=f"CK+/{key[0]}")
            reading.entries.append(entry)
            kind = "frames of CK+ before the last one of a sequence"
            reading.left_out[kind] += [file.path for _, file in others]
        else:
            kind = "frames of CK+ in sequences without an emotion"
            reading.left_out[kind] += [file.path for _, file in frames]
    reading.left_out = {kind: names for kind, names in reading.left_out.items() if names}
    return reading


def _label(file: SourceFile) -> str | None:
    with file.open() as stream:
        text = stream.read(100).decode("ascii", "replace").strip()
    try:
        # 0 is neutral, which its authors give to no sequence.
        return CODES.get(round(float(text)))
    except ValueError:
        raise SourceError(f"{file.path}: expected a code 1 to 7, got {text[:40]!r}") from None
