"""Readings as JSON, CSV, parquet or a table for the terminal."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.errors import MienError

if TYPE_CHECKING:
    import pandas as pd

    from mien.inference.reader import Reading

Record = dict[str, Any]
DIGITS = 6
HEADS = ("image", "time", "track", "x, y", "size", "sure", "expression", "else")
NUMBERS = ("time", "track", "x, y", "size", "sure")


def record(reading: Reading) -> Record:
    """Return the reading as plain values.

    A photo has `image` and `faces`, each with `box`, `emotion`, `confidence`, `probabilities`. A
    frame also has `time` in seconds, and its faces `track`. An unreadable file has `error`.
    """
    faces: list[Record] = [
        {
            "box": list(face.box),
            "emotion": face.emotion,
            "confidence": round(face.confidence, DIGITS),
            "probabilities": {
                label: round(share, DIGITS) for label, share in face.probabilities.items()
            },
        }
        for face in reading.faces
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

    Columns: `image`; for videos `time` and `track`; `x`, `y`, `w`, `h`; `emotion`; `confidence`;
    one for each class; `error`.
    """
    import pandas as pd

    times = ["time", "track"] if any("time" in one for one in records) else []
    columns = ["image", *times, "x", "y", "w", "h", "emotion", "confidence", *classes, "error"]
    kinds = dict.fromkeys(columns, "float64")
    kinds |= dict.fromkeys(("track", "x", "y", "w", "h"), "Int64")
    kinds |= dict.fromkeys(("image", "emotion", "error"), "string")
    table = pd.DataFrame(_rows(records), columns=columns)
    return table.astype({column: kinds[column] for column in columns})


def _rows(records: Sequence[Record]) -> Iterator[Record]:
    for one in records:
        told: Record = {key: one[key] for key in ("image", "time", "error") if key in one}
        if "error" in one:
            yield told
        for face in one["faces"]:
            box: Record = dict(zip("xywh", face["box"], strict=True))
            kept: Record = {
                key: face[key] for key in ("track", "emotion", "confidence") if key in face
            }
            yield {**told, **box, **kept, **face["probabilities"]}


def as_table(records: Sequence[Record]) -> str:
    """Return aligned lines, one per face, with the next two most probable expressions."""
    rows = [row for one in records for row in _lines(one)]
    shown = [column for column in HEADS if column in HEADS[:1] or any(row[column] for row in rows)]
    widths = {column: max(len(column), *(len(row[column]) for row in rows)) for column in shown}
    lines = [
        "  ".join(
            row[column].rjust(width) if column in NUMBERS else row[column].ljust(width)
            for column, width in widths.items()
        ).rstrip()
        for row in ({column: column for column in shown}, *rows)
    ]
    return "\n".join(lines) + "\n"


def _lines(one: Record) -> Iterator[dict[str, str]]:
    """Yield the cells of the lines for a photo or frame."""
    start = dict.fromkeys(HEADS, "") | {"image": one["image"]}
    if "time" in one:
        start["time"] = f"{one['time']:.2f} s"
    if "error" in one:
        yield start | {"expression": "unreadable", "else": one["error"]}
    elif not one["faces"]:
        yield start | {"expression": "no face"}
    for face in one["faces"]:
        x, y, width, height = face["box"]
        likely = sorted(face["probabilities"].items(), key=lambda item: -item[1])
        others = [f"{label} {share:.0%}" for label, share in likely if label != face["emotion"]]
        yield start | {
            "track": str(face.get("track", "")),
            "x, y": f"{x}, {y}",
            "size": f"{width} x {height}",
            "expression": face["emotion"],
            "sure": f"{face['confidence']:.0%}",
            "else": ", ".join(others[:2]),
        }
