"""Folders: all files below one folder, those of the archives in it included."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO

from mien.crops.formats import PICTURES
from mien.errors import SourceError
from mien.sources import archive
from mien.sources.files import SourceFile


def files(folder: Path, stack: ExitStack) -> Iterator[SourceFile]:
    """Yield the files below `folder`; what an archive holds is named `ARCHIVE/MEMBER`.

    Args:
        folder: links to files in it are followed.
        stack: keeps the archives open until the pictures are read.

    Raises:
        SourceError: a file cannot be read, an archive is broken or unsafe, or a link leads to a
            folder.
    """
    for inside, path in _walk(folder, ""):
        suffix = os.path.splitext(inside)[1].lower()
        if suffix not in PICTURES and archive.is_archive(Path(path)):
            yield from archive.files(Path(path), inside, stack)
        else:
            yield SourceFile(inside, partial(_open, path), partial(_read, path), suffix)


def single(file: Path, stack: ExitStack) -> Iterator[SourceFile]:
    """Yield the one file that is the source, or what it holds if it is an archive."""
    if archive.is_archive(file):
        yield from archive.files(file, "", stack)
    else:
        opens, reads = partial(_open, str(file)), partial(_read, str(file))
        yield SourceFile(file.name, opens, reads, file.suffix.lower())


def _walk(folder: Path, inside: str) -> Iterator[tuple[str, str]]:
    """Yield the files below `folder`, each as its path from the source and its own.

    As text, for a set may have a million.
    """
    with os.scandir(folder) as children:
        found = [(e.name, e.path, e.is_symlink(), e.is_dir(), e.is_file()) for e in children]
    for name, path, is_link, is_folder, is_file in found:
        if is_folder and is_link:
            raise SourceError(
                f"{path} is a link to a folder, and DVC would not notice a change behind it: "
                "set data.source to the folder that holds the real ones, or copy it"
            )
        if is_folder:
            yield from _walk(Path(path), f"{inside}{name}/")
        elif is_file:
            yield inside + name, path


def _open(file: str) -> IO[bytes]:
    return open(file, "rb")


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
