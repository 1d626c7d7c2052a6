"""Data sources: drawn sample, folder, archive, table and download; `opened` selects the reader."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path, PurePosixPath

from mien.errors import SourceError
from mien.sources import archive, drawn, folder, table
from mien.sources.items import Entry, Ignored, Item, Source, examples

__all__ = ["Item", "Source", "examples", "opened"]

FORMS = (
    "a folder, zip or tar of images (.jpg, .png, ...) in folders named by their class, "
    "FER2013 as a CSV (emotion, pixels, Usage), or a folder that holds several of these"
)


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """List the pictures of the source at `path`, to be read inside the `with` block.

    A folder with `recipe.yaml` is drawn; other files are recognised by their content.

    `PublicTest` and `PrivateTest` are FER2013's validation and test splits. A set without
    PrivateTest, as its common folder form is, has PublicTest as its test split.

    Raises:
        SourceError: the source is missing, broken, unsafe, empty or of an unknown format, or two
            of its pictures have the same name.
    """
    with ExitStack() as files:
        try:
            source = _source(path, _entries(path, files))
        except OSError as error:
            raise SourceError(
                f"{error.filename or path} cannot be read: {error.strerror or error}"
            ) from error
        yield source


def _entries(path: Path, files: ExitStack) -> Iterable[Entry | Ignored]:
    if not path.exists():
        raise SourceError(
            f"{path} does not exist: set data.source to {FORMS}, or data.url to an address"
        )
    if (path / "recipe.yaml").is_file():
        return (
            Entry(item.name, item.label, item.split, partial(bytes, item.data))
            for item in drawn.items(path)
        )
    if path.is_dir():
        return folder.entries(path, files)
    if archive.is_archive(path):
        return archive.entries(path, PurePosixPath(), (), files)
    stream = files.enter_context(path.open("rb"))
    begin = stream.read(16)
    stream.seek(0)
    if path.suffix.lower() == ".csv" or table.is_table(stream):
        stream.seek(0)
        return table.entries(stream, PurePosixPath(path.name), ())
    raise SourceError(f"{path} is not a source: expected {FORMS}; got a file that begins {begin!r}")


def _source(path: Path, found: Iterable[Entry | Ignored]) -> Source:
    """Return what was found, sorted by name, with canonical splits."""
    entries, ignored = [], []
    for one in found:
        if isinstance(one, Entry):
            entries.append(one)
        else:
            ignored.append(one.name)
    ignored.sort()
    if not entries:
        raise SourceError(
            f"{path} holds no image: expected {FORMS}; "
            f"got {len(ignored):,} other files: {examples(ignored) or 'none'}"
        )
    entries.sort(key=lambda entry: entry.name)
    for entry in entries:
        try:
            entry.name.encode()
        except UnicodeEncodeError:
            raise SourceError(f"{path}: the name {entry.name!r} is no UTF-8: rename it") from None
    for one, other in pairwise(entries):
        if one.name == other.name:
            raise SourceError(f"{path} holds two pictures named {one.name!r}: rename or remove one")
    private = any(entry.split == "privatetest" for entry in entries)
    meaning = {"publictest": "validation" if private else "test", "privatetest": "test"}
    return Source(
        [
            replace(entry, split=meaning[entry.split]) if entry.split in meaning else entry
            for entry in entries
        ],
        ignored,
    )
