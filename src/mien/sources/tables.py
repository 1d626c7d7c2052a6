"""Tables as text: separators, encodings, compression and headers are told from the file itself."""

import bz2
import csv
import gzip
import io
import json
import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import pandas as pd

from mien.crops.formats import PICTURES
from mien.errors import SourceError
from mien.sources.files import SourceFile, split_of

LINES = ".jsonl"
SUFFIXES = (".csv", ".tsv", ".txt", ".lst", ".csv.gz", ".tsv.gz", ".csv.bz2", ".csv.xz", LINES)
COMPRESSIONS: dict[bytes, Any] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
# Usual names of columns, lower case, the likeliest first.
LABELS = ("emotion", "label", "expression", "class", "target", "emotions", "labels", "category")
# fmt: off
PATHS = (
    "path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path",
    "image_name", "img", "img_path", "pth", "name", "subdirectory_filepath",
)
# fmt: on
USAGES = ("usage", "split", "set", "subset", "partition", "fold")
PIXELS = ("pixels", "pixel")
# A column for each pixel is called so.
WIDE = re.compile(r"(pixel|px|p)?[ _-]?\d+")
# Bytes of the longest line: an image of 2,000 x 2,000 pixels; and of what is looked at first.
LINE, HEAD = 2**24, 2**16
# Numbers in a cell from which on they are pixels, and columns that are.
FEWEST = 16
CHUNK = 1024


@dataclass(frozen=True)
class Form:
    """How a table is written.

    Attributes:
        separator: between cells.
        encoding: of the text.
        columns: names, lower case; told from the cells where there is no header.
        header: whether the first line holds the names.
    """

    separator: str
    encoding: str
    columns: tuple[str, ...]
    header: bool

    def column(self, names: tuple[str, ...]) -> str | None:
        """Return the first of `names` that is a column."""
        return next((name for name in names if name in self.columns), None)

    @property
    def wide(self) -> list[str]:
        """Columns of single pixels, none unless there are enough."""
        found = [name for name in self.columns if WIDE.fullmatch(name)]
        return found if len(found) >= FEWEST else []

    @property
    def pixels(self) -> bool:
        """Whether there is a column of pixels, or one for each."""
        return self.column(PIXELS) is not None or bool(self.wide)


def form(file: SourceFile) -> Form | None:
    """Return how the table in `file` is written; None if it is no text."""
    try:
        with opened(file) as stream:
            head = stream.read(HEAD)
    except (OSError, EOFError, lzma.LZMAError):
        return None
    encoding = _encoding(head)
    text = head.decode(encoding, "replace")
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line.strip()]
    # In a later line a byte of zero is a damaged row, which is named.
    if not lines or "\0" in lines[0]:
        return None
    if file.suffix == LINES:
        return _of_objects(lines[0], encoding)
    counts = {mark: lines[0].count(mark) for mark in (",", ";", "\t", "|")}
    separator = max(counts, key=lambda mark: counts[mark])
    if not counts[separator]:
        separator = r"\s+" if len(lines[0].split()) > 1 else ","
    cells = _cells(lines[0], separator)
    if any(_kind(cell) for cell in cells):
        # No name of a column is a list of numbers or the path of a picture.
        return Form(separator, encoding, _told_columns(cells), header=False)
    columns = [cell.strip().lower() for cell in cells]
    if len(lines) > 1:
        for at, (name, cell) in enumerate(zip(columns, _cells(lines[1], separator), strict=False)):
            # A column `image` may hold the pixels themselves.
            if name in PATHS and _kind(cell) == "pixels":
                columns[at] = PIXELS[0]
    return Form(separator, encoding, tuple(columns), header=True)


def opened(file: SourceFile) -> IO[bytes]:
    """Return the file's bytes, unpacked if they are compressed."""
    stream = file.open()
    magic = stream.read(6)
    stream.seek(0)
    for begin, opener in COMPRESSIONS.items():
        if magic.startswith(begin):
            unpacked: IO[bytes] = opener(stream)
            return unpacked
    return stream


def rows(file: SourceFile, form: Form) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of each row, from 1, and its cells by the names of the columns.

    Cells that a short row lacks are empty.

    Raises:
        SourceError: the file is damaged or a row has more cells than columns; the row is named.
    """
    if file.suffix == LINES:
        yield from _objects(file, form)
        return
    number = 0
    try:
        with (
            opened(file) as stream,
            pd.read_csv(
                _Guarded(stream),
                sep=form.separator,
                header=0 if form.header else None,
                names=list(form.columns),
                encoding=form.encoding,
                encoding_errors="replace",
                # Not str: pandas would keep text in Arrow, which is slow to read cell by cell.
                dtype=object,
                keep_default_na=False,
                na_values=[],
                skipinitialspace=True,
                index_col=False,
                engine="c",
                chunksize=CHUNK,
            ) as chunks,
        ):
            for chunk in chunks:
                for cells in chunk.itertuples(index=False, name=None):
                    number += 1
                    yield number, dict(zip(form.columns, cells, strict=True))
    except (ValueError, csv.Error, UnicodeError, EOFError, OSError, lzma.LZMAError) as error:
        raise _row_error(file.path, number, form, error) from error


def _of_objects(line: str, encoding: str) -> Form | None:
    """Return the form of a file with a JSON object in each line, by its first one."""
    try:
        first = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(first, dict):
        return None
    return Form("", encoding, tuple(key.strip().lower() for key in first), header=False)


def _objects(file: SourceFile, form: Form) -> Iterator[tuple[int, dict[str, str]]]:
    with io.TextIOWrapper(io.BufferedReader(_Guarded(opened(file))), form.encoding) as lines:
        number = 0
        try:
            for number, line in enumerate(filter(str.strip, lines), 1):
                cells = {key.strip().lower(): str(value) for key, value in json.loads(line).items()}
                yield number, {name: cells.get(name, "") for name in form.columns}
        except (ValueError, AttributeError, RecursionError) as error:
            raise SourceError(
                f"{file.path}: row {number}: expected a JSON object in each line; mend or remove it"
            ) from error


class _Guarded(io.RawIOBase):
    """A table's bytes, of which no line may be so long that it fills the memory."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._line = stream, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        last = data.rfind(b"\n")
        self._line = len(data) - last - 1 if last >= 0 else self._line + len(data)
        if self._line > LINE:
            raise ValueError(f"a line of more than {LINE:,} characters")
        return len(data)


def _row_error(path: str, number: int, form: Form, error: Exception) -> SourceError:
    text = " ".join(str(error).split())
    if found := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", text):
        number = int(found[2]) - form.header
        text = f"expected {found[1]} fields, got {found[3]}"
        return SourceError(f"{path}: row {number}: {text}; mend or remove it")
    if found := re.search(r"EOF inside string starting at row (\d+)", text):
        # pandas counts lines from 0.
        number = int(found[1]) - form.header
        text = "a quote that never ends"
    return SourceError(f"{path}: row {number + 1}: {text[:200]}; mend or remove it")


def _encoding(head: bytes) -> str:
    for mark, name in (
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\0\0\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
        (b"\xef\xbb\xbf", "utf-8-sig"),
    ):
        if head.startswith(mark):
            return name
    return "utf-8"


def _cells(line: str, separator: str) -> list[str]:
    if separator == r"\s+":
        return line.split()
    csv.field_size_limit(LINE)
    try:
        return next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    except (csv.Error, StopIteration):
        return line.split(separator)


def _kind(cell: str) -> str | None:
    """Return what a cell holds that no name of a column could: pixels or a path."""
    numbers = cell.strip(" []").replace(",", " ").split()
    if len(numbers) >= FEWEST and all(word.isdecimal() for word in numbers):
        return "pixels"
    if cell.strip().lower().endswith(tuple(PICTURES)):
        return "path"
    return None


def _told_columns(cells: list[str]) -> tuple[str, ...]:
    """Return names for the columns of a table without a header, by what the first row holds."""
    names: list[str] = []
    for at, cell in enumerate(cells):
        kind = _kind(cell) or ("usage" if split_of(cell) else "emotion")
        names.append(kind if kind not in names else f"column {at + 1}")
    return tuple(names)
