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
    """Yield what is below `folder`; members of an archive are named `ARCHIVE/MEMBER`.

    Args:
        folder: a folder; links in it are followed.
        files: keeps the archives open until the pictures are read.

    Raises:
        SourceError: a file cannot be read, or links form a loop.
    """
    for inside, file in _files(folder, "", ()):
        path = PurePosixPath(inside)
        if layout.is_hidden(path):
            yield Ignored(inside)
        elif layout.is_image(path):
            label, split = layout.place(path.parts[:-1], inside)
            yield Entry(inside, label, split, partial(_read, file))
        elif archive.is_archive(Path(file)):
            yield from archive.entries(Path(file), path, layout.around(path), files)
        elif _is_table(file):
            with open(file, "rb") as stream:
                yield from table.entries(stream, path, layout.around(path))
        else:
            yield Ignored(inside)


def _files(folder: Path, inside: str, above: tuple[Path, ...]) -> Iterator[tuple[str, str]]:
    """Yield for each file below `folder` its path within the source and its own path.

    As text, which is faster than Path objects for a million files. `above` are the resolved parent
    folders of `folder`, `inside` is its path within the source.
    """
    real = folder.resolve()
    if real in above:
        raise SourceError(f"{folder} leads back to {real}: remove the link")
    with os.scandir(folder) as children:
        found = [(child.name, child.path, child.is_dir(), child.is_file()) for child in children]
    for name, path, is_folder, is_file in found:
        if is_folder:
            yield from _files(Path(path), f"{inside}{name}/", (*above, real))
        elif is_file:
            yield inside + name, path


def _is_table(file: str) -> bool:
    with open(file, "rb") as stream:
        return table.is_table(stream)


def _read(file: str) -> bytes:
    try:
        with open(file, "rb", buffering=0) as stream:
            # A buffer of the file's size: for a million files larger ones would take the time.
            data = stream.read(min(os.fstat(stream.fileno()).st_size, archive.MEMBER) + 1)
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}; mend or remove it") from error
    if len(data) > archive.MEMBER:
        raise SourceError(f"{file} has more than {archive.MEMBER:,} bytes; shrink or remove it")
    return data
