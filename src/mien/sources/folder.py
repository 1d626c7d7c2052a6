"""Folders: pictures, archives and tables below one folder, read as one set."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path, PurePosixPath

from mien.errors import SourceError
from mien.sources import archive, layout, table
from mien.sources.items import Entry, Ignored


def entries(folder: Path, files: ExitStack) -> Iterator[Entry | Ignored]:
    """Yield what lies below `folder`; what an archive holds is named `ARCHIVE/MEMBER`.

    Args:
        folder: links in it are followed.
        files: keeps the archives open until the pictures are read.

    Raises:
        SourceError: a file cannot be read, or links form a loop.
    """
    for file in _files(folder, ()):
        path = PurePosixPath(file.relative_to(folder).as_posix())
        if layout.is_hidden(path):
            yield Ignored(str(path))
        elif layout.is_image(path):
            label, split = layout.place(path.parts[:-1], str(path))
            yield Entry(str(path), label, split, partial(_read, file))
        elif archive.is_archive(file):
            yield from archive.entries(file, path, layout.around(path), files)
        elif _is_table(file):
            with file.open("rb") as stream:
                yield from table.entries(stream, path, layout.around(path))
        else:
            yield Ignored(str(path))


def _files(folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    """Yield the files below `folder`; `above` are the real folders on the way to it."""
    real = folder.resolve()
    if real in above:
        raise SourceError(f"{folder} leads back to {real}: remove the link")
    with os.scandir(folder) as children:
        found = [(Path(child.path), child.is_dir(), child.is_file()) for child in children]
    for path, is_folder, is_file in found:
        if is_folder:
            yield from _files(path, (*above, real))
        elif is_file:
            yield path


def _is_table(file: Path) -> bool:
    with file.open("rb") as stream:
        return table.is_table(stream)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            data = stream.read(archive.MEMBER + 1)
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}; mend or remove it") from error
    if len(data) > archive.MEMBER:
        raise SourceError(f"{file} has more than {archive.MEMBER:,} bytes; shrink or remove it")
    return data
