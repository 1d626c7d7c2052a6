"""FER+ as folders: pictures of FER2013 with the votes of ten people in `label.csv`.

A line of `FER2013Train/label.csv` is `fer0000000.png,"(0, 0, 48, 48)",4,0,0,1,3,2,0,0,0,0`: the
picture, its box, then votes for the columns COLUMNS. Barsoum et al. 2016, Training Deep Networks
for Facial Expression Recognition with Crowd-Sourced Label Distribution, arXiv:1608.01041.
"""

import csv
import io

from mien.errors import SourceError
from mien.sources.file_list import MISSING
from mien.sources.files import Files, SourceFile, innermost_split
from mien.sources.items import Entry, Reading

NAME = "FER+"
COLUMNS = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
OTHERS = ("unknown", "no face")


def recognises(files: Files) -> bool:
    """Tell whether there is a `label.csv` of its form."""
    return bool(_lists(files))


def read(files: Files) -> Reading:
    """Return each picture with the class that most people voted for, and the votes.

    Left out are pictures of which most people say that it is unknown or no face, and ties.

    Raises:
        SourceError: a row has no votes.
    """
    reading = Reading()
    for file, rows in _lists(files):
        reading.taken.append(file.path)
        folder, split = "/".join(file.folders), innermost_split(file.folders)
        for number, row in enumerate(rows, 1):
            picture = files.by_path.get("/".join(filter(None, (folder, row[0].strip()))))
            if picture is None:
                reading.left_out[MISSING].append(f"{file.path}: {row[0]}")
                continue
            reading.taken.append(picture.path)
            counts = _counts(file, number, row)
            most = max(counts.values())
            winners = [name for name, count in counts.items() if count == most]
            if len(winners) > 1:
                reading.left_out["pictures whose votes are tied"].append(picture.path)
            elif winners[0] in OTHERS:
                kind = f"pictures that most people call {winners[0]}"
                reading.left_out[kind].append(picture.path)
            else:
                votes = {name: counts[name] for name in COLUMNS}
                entry = Entry(picture.path, winners[0], split, picture.read, "FER+", votes=votes)
                reading.entries.append(entry)
    return reading


def _lists(files: Files) -> list[tuple[SourceFile, list[list[str]]]]:
    found = []
    for file in files.named("label.csv"):
        with file.open() as stream:
            text = stream.read().decode("utf-8", "replace")
        rows = [row for row in csv.reader(io.StringIO(text)) if row]
        if rows and len(rows[0]) == 2 + len(COLUMNS) + len(OTHERS) and rows[0][1].startswith("("):
            found.append((file, rows))
    return found


def _counts(file: SourceFile, number: int, row: list[str]) -> dict[str, int]:
    names = (*COLUMNS, *OTHERS)
    if len(row) != 2 + len(names) or not all(cell.strip().isdecimal() for cell in row[2:]):
        raise SourceError(
            f"{file.path}: row {number}: expected {len(names)} counts of votes, got {row[2:]}; "
            "mend or remove it"
        )
    return dict(zip(names, map(int, row[2:]), strict=True))
