"""Data sources: a module for each form that data sets come in; `opened` chooses among them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import ModuleType

from mien.errors import SourceError
from mien.labels import EXPRESSIONS, Labels
from mien.sources import (
    affectnet,
    arrays,
    ckplus,
    class_folders,
    drawn,
    expw,
    ferplus,
    file_list,
    file_names,
    folder,
    hub_parquet,
    pixel_table,
    rafdb,
    tables,
)
from mien.sources.files import Files, SourceFile
from mien.sources.items import Entry, Item, Reading, Source, examples

__all__ = ["READERS", "Item", "Source", "examples", "opened"]

# Sets with codes of their own.
PUBLISHED: tuple[ModuleType, ...] = (rafdb, affectnet, ferplus, expw, ckplus)
# In the order in which they are asked: the authors' own forms before the general ones.
READERS: tuple[ModuleType, ...] = (
    *PUBLISHED,
    hub_parquet,
    pixel_table,
    arrays,
    file_list,
    class_folders,
    file_names,
)
FORMS = (
    "a folder, zip or tar of images (.jpg, .png, ...) in folders named by their class, "
    "a table of labels with pixels (FER2013's CSV) or with paths, or a folder that holds several "
    "of these; docs/data.md lists the forms"
)
OTHER_FILES = "files of other kinds"


@contextmanager
def opened(
    path: Path,
    labels: Labels | None = None,
    form: str | None = None,
    groups: Sequence[str] = (),
    resplit: bool = False,
) -> Iterator[Source]:
    """List the pictures of the source at `path`, to be read inside the `with` block.

    A folder with `recipe.yaml` is drawn. `PublicTest` and `PrivateTest` are FER2013's validation
    and test splits; a set without PrivateTest has PublicTest as its test split.

    Args:
        path: folder, archive or file.
        labels: what labels mean; None: names of expressions alone.
        form: NAME of the one reader to use; None: all that recognise something.
        groups: columns of tables to keep with each picture.
        resplit: whether the source's splits do not matter.

    Raises:
        SourceError: the source is missing, broken, unsafe, empty, of no known form, not plausible
            as faces of several classes, or two of its pictures have one name.
    """
    with ExitStack() as stack:
        try:
            if (path / "recipe.yaml").is_file():
                source = _drawn(path)
            else:
                every = tuple(_listed(path, stack))
                files = Files(every, labels or Labels(), tuple(groups), resplit)
                source = _read(path, files, form)
        except OSError as error:
            raise SourceError(
                f"{error.filename or path} cannot be read: {error.strerror or error}"
            ) from error
        yield source


def _listed(path: Path, stack: ExitStack) -> Iterator[SourceFile]:
    if not path.exists():
        raise SourceError(
            f"{path} does not exist: set data.source to {FORMS}, or data.url to an address"
        )
    yield from folder.files(path, stack) if path.is_dir() else folder.single(path, stack)


def _drawn(path: Path) -> Source:
    entries = [
        Entry(item.name, item.label, item.split, partial(bytes, item.data))
        for item in drawn.items(path)
    ]
    return Source(_ordered(path, entries), ["drawn faces"], {})


def _read(path: Path, files: Files, form: str | None) -> Source:
    """Return what the readers make of the files, once it is plausible."""
    readers = [reader for reader in READERS if form in (None, reader.NAME)]
    if not readers:
        names = ", ".join(reader.NAME for reader in READERS)
        raise SourceError(f"data.format: expected one of {names}, got {form!r}")
    entries: list[Entry] = []
    forms: list[str] = []
    left_out: dict[str, list[str]] = {}
    hidden = [file.path for file in files.every if _is_hidden(file.path)]
    rest = files.without(hidden)
    for reader in readers:
        if not rest.every or not reader.recognises(rest):
            continue
        reading = reader.read(rest)
        entries += _renamed(reading, files.labels) if reader in PUBLISHED else reading.entries
        if reading.entries:
            forms.append(reader.NAME)
        for kind, names in reading.left_out.items():
            left_out.setdefault(kind, []).extend(names)
        rest = rest.without(reading.taken)
    pictures = {file.path for file in rest.pictures}
    if pictures:
        left_out.setdefault("pictures without a label", []).extend(pictures)
    others = [*hidden, *(file.path for file in rest.every if file.path not in pictures)]
    if others:
        left_out.setdefault(OTHER_FILES, []).extend(others)
    left_out = {kind: sorted(names) for kind, names in sorted(left_out.items())}
    _refuse_implausible(path, files, entries, left_out)
    return Source(_ordered(path, _meant(entries)), forms, left_out)


def _unread_tables(files: Files) -> str:
    """Return the columns of the first table, for a message that nothing could be read."""
    for file in files.named(*tables.SUFFIXES):
        found = tables.form(file)
        if found and len(found.columns) > 1:
            return f"; {file.path} has the columns {', '.join(found.columns[:8])[:200]}"
    return ""


def _renamed(reading: Reading, labels: Labels) -> Iterator[Entry]:
    """Yield the entries of a published set with the classes that the user's labels ask for."""
    for entry in reading.entries:
        label = labels.of(entry.label)
        if label is None:
            kind = f"pictures of {entry.label}, as data.labels says"
            reading.left_out.setdefault(kind, []).append(entry.name)
        else:
            yield replace(entry, label=label)


def _is_hidden(path: str) -> bool:
    """Tell whether a part of `path` is hidden or one that macOS adds to its archives."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.split("/"))


def _refuse_implausible(
    path: Path, files: Files, entries: Sequence[Entry], left_out: Mapping[str, Sequence[str]]
) -> None:
    """Refuse a source that gives no faces of several classes.

    Raises:
        SourceError: see `opened`.
    """
    if not entries:
        pictures = files.pictures
        if not pictures and path.is_file() and [file.path for file in files.every] == [path.name]:
            with path.open("rb") as stream:
                begin = stream.read(16)
            kinds = ", ".join(left_out)
            raise SourceError(
                f"{path} is no source ({kinds}): expected {FORMS}; got a file that begins {begin!r}"
            )
        if not pictures:
            others = [file.path for file in files.every]
            reasons = [kind for kind in left_out if kind != OTHER_FILES]
            why = f" ({', '.join(reasons)})" if reasons else ""
            raise SourceError(
                f"{path} holds no image: expected {FORMS}; got {len(others):,} other files: "
                f"{examples(sorted(others)) or 'none'}{why}{_unread_tables(files)}"
            )
        counts = Counter("/".join(file.folders) or "the top folder" for file in pictures)
        found = ", ".join(f"{name} ({count:,})" for name, count in counts.most_common(3))
        more = f" and {len(counts) - 3:,} more" if len(counts) > 3 else ""
        raise SourceError(
            f"{path} names no expression: {len(pictures):,} pictures lie in {found}{more}"
            f"{_unread_tables(files)}; expected folders such as {', '.join(EXPRESSIONS[:4])}, "
            "a table or names of files that say it; say what the folders mean in data.labels, such "
            "as -S 'data.labels={1: surprise, 2: fear}'"
        )
    for group in files.groups:
        if not any(group in entry.groups for entry in entries):
            raise SourceError(
                f"data.groups: no table of {path} has a column {group!r} beside its pictures; "
                "correct the name or leave data.groups empty"
            )
    classes = {entry.label for entry in entries}
    if len(classes) < 2:
        raise SourceError(
            f"{path}: every picture ({len(entries):,}) is of one class, {classes.pop()}; expected "
            "two classes or more: say what other folders or labels mean in data.labels"
        )


def _meant(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries with one meaning for each split."""
    private = any(entry.split == "privatetest" for entry in entries)
    meaning = {"publictest": "validation" if private else "test", "privatetest": "test"}
    # The name of a single set says nothing.
    several = len({entry.part for entry in entries}) > 1
    return [
        replace(
            entry,
            split=meaning.get(entry.split or "", entry.split),
            part=entry.part if several else "",
        )
        if entry.split in meaning or (entry.part and not several)
        else entry
        for entry in entries
    ]


def _ordered(path: Path, entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries by name.

    Raises:
        SourceError: a name is no text, or two pictures share one.
    """
    ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        try:
            entry.name.encode()
        except UnicodeEncodeError:
            raise SourceError(f"{path}: the name {entry.name!r} is no UTF-8: rename it") from None
    for one, other in pairwise(ordered):
        if one.name == other.name:
            raise SourceError(f"{path} holds two pictures named {one.name!r}: rename or remove one")
    return ordered
