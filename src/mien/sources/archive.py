"""Archives: zip and tar (gz, bz2, xz), read member by member and never unpacked into a folder.

What could harm is refused whole, in one line: names that lead outside, links, devices, encrypted
members, sizes out of bounds. A compressed tar, which cannot be read out of order, and an archive in
an archive are written into temporary files first, within the same bounds.
"""

import bz2
import gzip
import lzma
import os
import re
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from tqdm import tqdm

from mien.crops.formats import PICTURES
from mien.errors import SourceError
from mien.sources.files import SourceFile

MEBIBYTE = 2**20
# Bytes of the largest picture, of the largest other file, and of all members together.
MEMBER = 64 * MEBIBYTE
TABLE = 4096 * MEBIBYTE
TOTAL = 20480 * MEBIBYTE
# Images hardly compress: more than RATIO times the archive's size, beyond FREE bytes, is a
# decompression bomb.
RATIO = 100
FREE = 256 * MEBIBYTE
# Methods of a zip that are read, and the largest dictionary of LZMA, that of `7z -mx=9`.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
DICTIONARY = 64 * MEBIBYTE
# Characters of the longest name, as of paths on Linux.
NAME = 4096

# Zips by their content, and files of another kind to people.
OTHER_KINDS = (".docx", ".jar", ".keras", ".npz", ".odt", ".pptx", ".whl", ".xlsx")
SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")
COMPRESSIONS: dict[bytes, Any] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class _Member:
    """A file in an archive: its name as stored, its size in bytes, and how to open it."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def is_archive(file: Path) -> bool:
    """Tell by name or content whether `file` is a zip or a tar, sound or broken."""
    if file.name.lower().endswith(OTHER_KINDS):
        return False
    if file.name.lower().endswith(SUFFIXES) or _is_zip(file):
        return True
    with file.open("rb") as stream:
        head = stream.read(tarfile.BLOCKSIZE)
    try:
        if head.startswith(tuple(COMPRESSIONS)):
            return tarfile.is_tarfile(file)
        # Not `is_tarfile`, which reads gigabytes of zeros in search of an xz header.
        tarfile.TarInfo.frombuf(head, tarfile.ENCODING, "surrogateescape")
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError):
        return False
    return True


def files(file: Path, path: str, stack: ExitStack, nested: bool = False) -> Iterator[SourceFile]:
    """Yield the files in the archive `file`, those of archives in it included, one level deep.

    Args:
        file: the archive.
        path: its place in the source, which leads the names; empty where it is the source.
        stack: keeps the archive open until the pictures are read.
        nested: whether it lies in an archive itself; archives in it are then files like others.

    Raises:
        SourceError: the archive is broken or unsafe.
    """
    with _intact(file, path):
        members = list((_zipped if _is_zip(file) else _tarred)(file, stack))
    safe = [(member, _safe(file, member)) for member in members]
    _check_total(file, sum(member.size for member in members))
    for member, inside in safe:
        name = "/".join(filter(None, (path, inside.as_posix())))
        if not nested and inside.name.lower().endswith(SUFFIXES):
            inner = _copied(file, member, stack)
            if is_archive(inner):
                try:
                    yield from files(inner, name, stack, nested=True)
                except SourceError as error:
                    # Nobody knows the temporary file.
                    raise SourceError(str(error).replace(str(inner), name)) from error
                continue
        yield SourceFile(
            name,
            partial(_opened, file, member),
            partial(_read, file, member),
            inside.suffix.lower(),
        )


def _opened(file: Path, member: "_Member") -> IO[bytes]:
    """Return the member's bytes as a file of its own, whole and within its bound."""
    stream = tempfile.TemporaryFile()  # noqa: SIM115
    with _intact(file), member.open() as packed:
        shutil.copyfileobj(packed, stream, MEBIBYTE)
    stream.seek(0)
    return stream


def _copied(file: Path, member: "_Member", stack: ExitStack) -> Path:
    """Return a temporary file with the member's bytes, which the stack removes."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mien-"))
    path = Path(folder, PurePosixPath(member.name).name)
    with _opened(file, member) as stream, path.open("wb") as copy:
        shutil.copyfileobj(stream, copy, MEBIBYTE)
    return path


def _is_zip(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


@contextmanager
def _intact(file: Path, path: str = "") -> Iterator[None]:
    """Turn what a broken archive makes the libraries raise into one line."""
    try:
        yield
    except SourceError:
        raise
    except BROKEN as error:
        # The message may quote the file.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise SourceError(
            f"{path or file} is broken, cut short or no zip or tar: {reason}; get it anew"
        ) from error


def _safe(file: Path, member: _Member) -> PurePosixPath:
    """Return the member's path inside the archive once its name and size are harmless."""
    # Some programs for Windows write its separator.
    name = member.name.replace("\\", "/")
    path = PurePosixPath(name)
    if len(name) > NAME:
        raise _unsafe(file, f"{name[:40]}…", f"has a name of {len(name):,} characters")
    if "\0" in name or re.match("[A-Za-z]:", name):
        raise _unsafe(file, name, "is no portable path")
    if path.is_absolute() or ".." in path.parts:
        raise _unsafe(file, name, "leads outside the archive")
    bound = MEMBER if path.suffix.lower() in PICTURES else TABLE
    if member.size > bound:
        raise _unsafe(file, name, f"has {member.size:,} bytes, more than the {bound:,} allowed")
    return path


def _unsafe(file: Path, name: str, reason: str) -> SourceError:
    return SourceError(f"{file} is refused: member {name!r} {reason}; pack it again without")


def _check_total(file: Path, total: int) -> None:
    bound = min(TOTAL, max(FREE, RATIO * file.stat().st_size))
    if total > bound:
        raise SourceError(
            f"{file} is refused: it unpacks to {total:,} bytes or more, and {bound:,} are allowed "
            "for its size; split it, or pack only the images"
        )


def _read(file: Path, member: _Member) -> bytes:
    with _intact(file), member.open() as stream:
        # At most the declared size, whatever the member really contains.
        data = stream.read(member.size)
        if len(data) != member.size:
            raise EOFError(f"{member.name!r} has {len(data):,} of {member.size:,} bytes")
    return data


def _zipped(file: Path, files: ExitStack) -> Iterator[_Member]:
    archive = files.enter_context(zipfile.ZipFile(file))
    for info in archive.infolist():
        if info.is_dir():
            continue
        name = info.orig_filename
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise _unsafe(file, name, "is a link or a device")
        if info.flag_bits & 0x1:
            raise _unsafe(file, name, "is encrypted")
        if info.compress_type not in METHODS:
            raise _unsafe(file, name, "is packed by a method that is not read; pack it by deflate")
        if info.compress_type == zipfile.ZIP_LZMA and _dictionary(file, info) > DICTIONARY:
            raise _unsafe(file, name, f"needs more than {DICTIONARY:,} bytes to be unpacked")
        yield _Member(name, info.file_size, partial(archive.open, info))


def _dictionary(file: Path, info: zipfile.ZipInfo) -> int:
    """Return the bytes of memory that unpacking a member takes by LZMA, which its data declare.

    A zip's local header has 30 bytes, then a name and extra fields, whose lengths it tells; the
    data begin with a version, the length of the properties, a byte and the dictionary's size.
    """
    with file.open("rb") as stream:
        stream.seek(info.header_offset + 26)
        name, extra = struct.unpack("<HH", stream.read(4))
        stream.seek(name + extra + 5, os.SEEK_CUR)
        return int(struct.unpack("<I", stream.read(4))[0])


def _tarred(file: Path, files: ExitStack) -> Iterator[_Member]:
    stream = _Careful(_decompressed(file, files))
    archive = files.enter_context(tarfile.TarFile(fileobj=stream))  # type: ignore[arg-type]
    for info in archive:
        if info.isdir():
            continue
        # With a negative size the library seeks backwards and reads the same members forever.
        if info.size < 0 or archive.offset <= info.offset:
            raise _unsafe(file, info.name, "has a size below 0")
        if not info.isreg():
            raise _unsafe(file, info.name, "is a link or a device")
        yield _Member(info.name, info.size, partial(_tar_member, archive, info))
    # tarfile stops at a damaged header as if it were the end, which is a block of zeros.
    stream.seek(archive.offset)
    if stream.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
        raise EOFError("the end of the archive is missing")


class _Careful:
    """A tar's bytes, with an upper bound on each read.

    The library reads long names and similar headers at once, whatever size they declare.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MEMBER:
            raise EOFError(f"a header of {size:,} bytes")
        return self._stream.read(size)


def _tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(info)
    assert stream is not None  # noqa: S101 only None for other than regular files
    return stream


def _decompressed(file: Path, files: ExitStack) -> IO[bytes]:
    """Return the tar's bytes: the file itself, or a temporary file with what it unpacks to."""
    source = files.enter_context(file.open("rb"))
    head = source.read(6)
    source.seek(0)
    opener = next(
        (opener for magic, opener in COMPRESSIONS.items() if head.startswith(magic)), None
    )
    if opener is None:
        return source
    plain = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    size = file.stat().st_size
    bar = tqdm.wrapattr(source, "read", size, desc=file.name, delay=2, disable=None)
    with bar as tracked, opener(tracked) as stream:
        while block := stream.read(MEBIBYTE):
            plain.write(block)
            _check_total(file, plain.tell())
    plain.seek(0)
    return plain
