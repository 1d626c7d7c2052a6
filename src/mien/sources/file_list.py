"""Lists of files: a table with the path of a picture and its label in each row."""

from collections import defaultdict
from dataclasses import dataclass

from mien.errors import SourceError
from mien.labels import canonical
from mien.sources import class_folders, tables
from mien.sources.files import (
    Files,
    SourceFile,
    checked_label,
    innermost_split,
    split_of,
    unknown_codes,
)
from mien.sources.items import Entry, Reading

NAME = "list of files"
AGREES = "tables that say what the folders say"
MISSING = "rows of lists whose picture is not there"
# Columns that tell who is shown.
SUBJECTS = ("subject", "subject_id", "person", "person_id", "participant", "actor")


@dataclass(frozen=True)
class Row:
    """A row of a list: its picture, its label, its split, and the columns asked for."""

    picture: SourceFile
    label: str
    split: str | None
    subject: str | None
    groups: dict[str, str]


def recognises(files: Files) -> bool:
    """Tell whether a table has columns of paths and of labels, and its pictures are there."""
    return any(rows for _, rows, _ in _lists(files))


def read(files: Files) -> Reading:
    """Return a picture for each row whose picture is there.

    A list of pictures that lie in folders named by their classes is left out where both agree,
    unless it has columns that data.groups asks for.

    Raises:
        SourceError: list and folders disagree, or labels are codes whose meaning is not known.
    """
    reading = Reading()
    for file, rows, missing in _lists(files):
        rows = [row for row in rows if row.picture.path not in set(reading.taken)]
        if not rows:
            continue
        reading.taken.append(file.path)
        if _agrees(file, rows, files) and not any(row.groups for row in rows):
            reading.left_out[AGREES].append(file.path)
            continue
        unknown = [row.label for row in rows if not files.labels.means(row.label)]
        if unknown:
            raise unknown_codes(file.path, unknown)
        reading.left_out[MISSING] += [f"{file.path}: {path}" for path in missing]
        for row in rows:
            reading.taken.append(row.picture.path)
            _add(reading, row, file, files)
    reading.left_out = {kind: names for kind, names in reading.left_out.items() if names}
    return reading


def _add(reading: Reading, row: Row, file: SourceFile, files: Files) -> None:
    label = files.labels.of(row.label)
    if label is None:
        kind = f"pictures of {row.label}, as data.labels says"
        reading.left_out.setdefault(kind, []).append(row.picture.path)
        return
    picture = row.picture
    part = "/".join(file.folders)
    split = row.split or innermost_split(picture.folders)
    split = split or innermost_split((*file.folders, file.stem.split(".")[0]))
    label = checked_label(label, picture.path)
    entry = Entry(picture.path, label, split, picture.read, part, row.subject, row.groups)
    reading.entries.append(entry)


def _agrees(file: SourceFile, rows: list[Row], files: Files) -> bool:
    """Tell whether the folders name the same class for every row.

    Raises:
        SourceError: they name another one.
    """
    places = [class_folders.place(row.picture.folders, files) for row in rows]
    if not all(place.label for place in places):
        return False
    for row, place in zip(rows, places, strict=True):
        said = files.labels.of(row.label) if files.labels.means(row.label) else row.label
        label = files.labels.of(place.label or "")
        if canonical(said or "") != (label or ""):
            raise SourceError(
                f"{file.path} says {row.label!r} of {row.picture.path}, whose folder says "
                f"{place.label!r}; say which is right: data.format: {NAME} or {class_folders.NAME}"
            )
    return True


def _lists(files: Files) -> list[tuple[SourceFile, list[Row], list[str]]]:
    """Return each table that lists pictures, its rows, and the paths that are not there."""
    by_name = defaultdict(list)
    for picture in files.pictures:
        by_name[picture.name].append(picture)
    found = []
    for file in files.named(*tables.SUFFIXES):
        form = tables.form(file)
        if form is None or form.pixels:
            continue
        path, label = form.column(tables.PATHS), form.column(tables.LABELS)
        flags = [name for name in form.columns if files.labels.means(name)]
        if path is None or path == label or (label is None and len(flags) < 2):
            continue
        rows, missing = _rows(file, form, (path, label or flags), files, by_name)
        if rows:
            found.append((file, rows, missing))
    return found


def _rows(
    file: SourceFile,
    form: tables.Form,
    columns: tuple[str, str | list[str]],
    files: Files,
    by_name: dict[str, list[SourceFile]],
) -> tuple[list[Row], list[str]]:
    path, label = columns
    usage, subject = form.column(tables.USAGES), form.column(SUBJECTS)
    asked = [name for name in files.groups if name.lower() in form.columns]
    rows, missing = [], []
    for _, cells in tables.rows(file, form):
        picture = resolved(cells[path], file, files, by_name)
        if picture is None:
            missing.append(cells[path])
            continue
        split = split_of(cells[usage]) if usage else None
        who = cells[subject].strip() or None if subject else None
        groups = {name: cells[name.lower()] for name in asked}
        said = cells[label] if isinstance(label, str) else _flagged(cells, label)
        if said is None:
            # Scores of the classes, not labels.
            return [], []
        rows.append(Row(picture, plain(said), split, who, groups))
    return rows, missing


def _flagged(cells: dict[str, str], columns: list[str]) -> str | None:
    """Return which of the columns, one for each class, has a 1; None unless the others have 0."""
    values = {name: plain(cells[name]) for name in columns}
    named = [name for name, value in values.items() if value == "1"]
    return named[0] if len(named) == 1 and set(values.values()) == {"0", "1"} else None


def plain(label: str) -> str:
    """Return a label without spaces around it, and a whole number without its decimals."""
    text = label.strip()
    head, _, tail = text.partition(".")
    return head if head.isdecimal() and tail.strip("0") == "" else text


def resolved(
    path: str, file: SourceFile, files: Files, by_name: dict[str, list[SourceFile]]
) -> SourceFile | None:
    """Return the picture that a list means: from the list, from the source, or by its name alone.

    Of an absolute path, as it was on another machine, its end is looked for.

    Args:
        path: as the list has it; a backslash separates folders, too.
        file: the list.
        files: all files.
        by_name: the pictures by their names without folders.
    """
    clean = "/".join(
        one for one in path.strip().replace("\\", "/").split("/") if one not in ("", ".")
    )
    for begin in ("/".join(file.folders), ""):
        if found := files.by_path.get("/".join(filter(None, (begin, clean)))):
            return found
    absolute = path.strip().startswith("/") or path.strip()[1:2] == ":"
    fitting = [
        one
        for one in by_name.get(clean.rpartition("/")[2], ())
        if one.path.endswith(clean) or (absolute and clean.endswith(f"/{one.path}"))
    ]
    return fitting[0] if len(fitting) == 1 else None
