"""Readings as JSON, CSV, parquet or a table for the terminal."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from mien.errors import MienError

if TYPE_CHECKING:
    import pandas as pd

    from mien.inference.reader import Reading

Record = dict[str, Any]
DIGITS = 6
# The table's columns, named as in the CSV but for the last.
HEADS = ("image", "time", "face", "track", "x", "y", "w", "h", "emotion", "confidence", "others")
# Of a stream's table, whose widths nobody knows before the end.
WIDTHS = dict(zip(HEADS, (8, 8, 4, 5, 4, 4, 4, 4, 8, 10, 0), strict=True))
NUMBERS = ("time", "face", "track", "x", "y", "w", "h", "confidence")


def record(reading: Reading) -> Record:
    """Return the reading as plain values.

    A photo has `image` and `faces`, each with `face` (its number in the photo, from 1), `box`,
    `emotion`, `confidence`, `probabilities`. A frame also has `time` in seconds, and its faces
    `track`. An unreadable file has `error`.
    """
    faces: list[Record] = [
        {
            "face": number,
            "box": list(face.box),
            "emotion": face.emotion,
            "confidence": round(face.confidence, DIGITS),
            "probabilities": {
                label: round(share, DIGITS) for label, share in face.probabilities.items()
            },
        }
        for number, face in enumerate(reading.faces, 1)
    ]
    for face, track in zip(faces, reading.tracks, strict=False):
        face["track"] = track
    time = {} if reading.time is None else {"time": reading.time}
    error = {} if reading.error is None else {"error": reading.error}
    return {"image": printable(reading.path), **time, "faces": faces, **error}


def printable(path: Path) -> str:
    """Return the path as text, with `?` for bytes that are not valid UTF-8."""
    return str(path).encode("utf-8", "replace").decode()


def placed(paths: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Return the path of each file in a copy of the files' tree under `folder`."""
    # Without `..`, which would lead out of `folder`.
    whole = {path: os.path.abspath(path) for path in paths}
    root = os.path.commonpath([os.path.dirname(path) for path in whole.values()])
    return {path: folder / os.path.relpath(full, root) for path, full in whole.items()}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Create the folder of `path`; turn errors of writing in the block into one line.

    Raises:
        MienError: the folder cannot be created, the disk is full, or similar.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise MienError(f"{path} cannot be written: {error.strerror or error}") from error


def rendered(records: Sequence[Record], classes: Sequence[str], form: str) -> bytes:
    """Return the records as a file of the `form`: `table`, `json`, `csv` or `parquet`."""
    match form:
        case "json":
            return as_json(records).encode()
        case "csv":
            return as_frame(records, classes).to_csv(index=False, lineterminator="\n").encode()
        case "parquet":
            return as_frame(records, classes).to_parquet(index=False)
    return as_table(records).encode()


def as_json(records: Iterable[Record]) -> str:
    """Return a JSON list, one object per line."""
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in records)
    return f"[\n{lines}\n]\n" if lines else "[]\n"


def as_frame(records: Sequence[Record], classes: Sequence[str]) -> pd.DataFrame:
    """Return a row for each face, and one for each file that cannot be read.

    Columns: `image`; for videos `time`; `face`, its number in the photo; for videos `track`; `x`,
    `y`, `w`, `h`; `emotion`; `confidence`; one for each class; `error`.
    """
    import pandas as pd

    columns = columns_of(classes, moving=any("time" in one for one in records))
    kinds = dict.fromkeys(columns, "float64")
    kinds |= dict.fromkeys(("face", "track", "x", "y", "w", "h"), "Int64")
    kinds |= dict.fromkeys(("image", "emotion", "error"), "string")
    table = pd.DataFrame(_rows(records), columns=columns)
    return table.astype({column: kinds[column] for column in columns})


def columns_of(classes: Sequence[str], moving: bool) -> list[str]:
    """Return the columns of CSV and parquet; `moving`: of videos or a camera."""
    face = ["time", "face", "track"] if moving else ["face"]
    return ["image", *face, "x", "y", "w", "h", "emotion", "confidence", *classes, "error"]


def _rows(records: Sequence[Record]) -> Iterator[Record]:
    for one in records:
        told: Record = {key: one[key] for key in ("image", "time", "error") if key in one}
        if "error" in one:
            yield told
        for face in one["faces"]:
            box: Record = dict(zip("xywh", face["box"], strict=True))
            kept: Record = {
                key: face[key] for key in ("face", "track", "emotion", "confidence") if key in face
            }
            yield {**told, **box, **kept, **face["probabilities"]}


class Stream:
    """Writes records one after another, for who waits for no end: lines of JSON, CSV or a table."""

    def __init__(self, file: BinaryIO, classes: Sequence[str], form: str) -> None:
        """Write the head, if the form has one.

        Args:
            file: is written to.
            classes: of the model.
            form: `table`, `json` or `csv`.
        """
        self._file, self._form = file, form
        self._columns = columns_of(classes, moving=True)
        if form == "csv":
            self._csv([self._columns])
        elif form == "table":
            self._line({column: column for column in HEADS})
        file.flush()

    def add(self, one: Record) -> None:
        """Write what a frame shows, at once."""
        if self._form == "json":
            self._file.write(f"{json.dumps(one, ensure_ascii=False)}\n".encode())
        elif self._form == "csv":
            self._csv([row.get(column, "") for column in self._columns] for row in _rows([one]))
        else:
            for row in _lines(one):
                self._line(row)
        self._file.flush()

    def _csv(self, rows: Iterable[Sequence[Any]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        self._file.write(text.getvalue().encode())

    def _line(self, row: Record) -> None:
        self._file.write(f"{_aligned(row, WIDTHS)}\n".encode())


def as_table(records: Sequence[Record]) -> str:
    """Return aligned lines, one per face, with the next two most probable expressions."""
    rows = [row for one in records for row in _lines(one)]
    shown = [column for column in HEADS if column in HEADS[:1] or any(row[column] for row in rows)]
    widths = {column: max(len(column), *(len(row[column]) for row in rows)) for column in shown}
    lines = [_aligned(row, widths) for row in ({column: column for column in shown}, *rows)]
    return "\n".join(lines) + "\n"


def _aligned(row: Record, widths: Mapping[str, int]) -> str:
    return "  ".join(
        row[column].rjust(width) if column in NUMBERS else row[column].ljust(width)
        for column, width in widths.items()
    ).rstrip()


def _lines(one: Record) -> Iterator[dict[str, str]]:
    """Yield the cells of the lines for a photo or frame."""
    start = dict.fromkeys(HEADS, "") | {"image": one["image"]}
    if "time" in one:
        start["time"] = f"{one['time']:.2f} s"
    if "error" in one:
        yield start | {"emotion": "unreadable", "others": one["error"]}
    elif not one["faces"]:
        yield start | {"emotion": "no face"}
    for face in one["faces"]:
        likely = sorted(face["probabilities"].items(), key=lambda item: -item[1])
        others = [f"{label} {share:.0%}" for label, share in likely if label != face["emotion"]]
        yield start | {
            "face": str(face["face"]),
            "track": str(face.get("track", "")),
            **dict(zip("xywh", map(str, face["box"]), strict=True)),
            "emotion": face["emotion"],
            "confidence": f"{face['confidence']:.0%}",
            "others": ", ".join(others[:2]),
        }
