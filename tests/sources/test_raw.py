"""The file of raw pictures: all of them untouched, in bounded groups, and there only when whole."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mien.sources import Item, Source, raw
from mien.sources.items import Entry

RNG = random.Random(0)
ITEMS = [
    Item(f"{number:03}.png", label, split, RNG.randbytes(1000))
    for number, (label, split) in enumerate([("happy", "train"), ("sad", None)] * 25)
]
ENTRIES = [Entry(item.name, item.label, item.split, lambda: b"") for item in ITEMS]
SOURCE = Source(ENTRIES, ["class folders"], {"files of other kinds": ["a.txt", "b.txt"]})


def sizes(path: Path) -> list[int]:
    """Return the rows of each group."""
    file = pq.ParquetFile(path)
    return [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]


def test_every_picture_comes_back_untouched_in_its_place(tmp_path):
    raw.write(SOURCE, iter(ITEMS), tmp_path / "data/raw.parquet")
    table = pq.read_table(tmp_path / "data/raw.parquet")
    assert [(field.name, str(field.type)) for field in table.schema] == [
        ("name", "string"),
        ("label", "string"),
        ("split", "string"),
        ("data", "binary"),
    ]
    assert [Item(**row) for row in table.to_pylist()] == ITEMS
    assert os.listdir(tmp_path / "data") == ["raw.parquet"]


def test_the_same_items_are_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        raw.write(SOURCE, iter(ITEMS), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize(
    ("bound", "value", "expected"),
    [
        ("GROUP_ROWS", 20, [20, 20, 10]),
        # A group ends once it holds so many bytes: three pictures of 1,000.
        ("GROUP_BYTES", 2500, [*[3] * 16, 2]),
        ("GROUP_BYTES", 1, [1] * 50),
    ],
)
def test_no_more_is_in_memory_than_a_group(tmp_path, monkeypatch, bound, value, expected):
    monkeypatch.setattr(raw, bound, value)
    written, taken = [], 0

    def items() -> Iterator[Item]:
        nonlocal taken
        for item in ITEMS:
            taken += 1
            yield item

    write_table = pq.ParquetWriter.write_table

    def watched(writer: pq.ParquetWriter, table: object) -> None:
        written.append(taken)
        write_table(writer, table)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", watched)
    raw.write(SOURCE, items(), tmp_path / "raw.parquet")
    assert sizes(tmp_path / "raw.parquet") == expected
    # Each group was written before the next was asked for.
    assert written == [sum(expected[: group + 1]) for group in range(len(expected))]


def test_a_source_that_breaks_half_way_leaves_what_was_there(tmp_path, monkeypatch):
    monkeypatch.setattr(raw, "GROUP_ROWS", 10)
    path = tmp_path / "raw.parquet"

    def breaking() -> Iterator[Item]:
        yield from ITEMS[:30]
        raise EOFError("cut short")

    with pytest.raises(EOFError, match="cut short"):
        raw.write(SOURCE, breaking(), path)
    assert os.listdir(tmp_path) == []
    raw.write(SOURCE, iter(ITEMS), path)
    whole = path.read_bytes()
    with pytest.raises(EOFError, match="cut short"):
        raw.write(SOURCE, breaking(), path)
    assert os.listdir(tmp_path) == ["raw.parquet"]
    assert path.read_bytes() == whole


def test_it_appears_at_once_under_its_name(tmp_path):
    path, seen = tmp_path / "raw.parquet", []

    def items() -> Iterator[Item]:
        for item in ITEMS:
            seen.append(path.exists())
            yield item

    raw.write(SOURCE, items(), path)
    assert not any(seen)
    assert path.exists()


def test_columns_that_only_some_sources_have_are_there_only_then(tmp_path):
    extras = {"part": "one", "subject": "anna", "groups": {"age": "30"}, "votes": {"happy": 7}}
    source = Source(
        [Entry("a.png", "happy", None, lambda: b"", **extras), ENTRIES[1]], ["FER+"], {}
    )
    item = Item("a.png", "happy", None, b"x", *extras.values())
    raw.write(source, iter([item, ITEMS[1]]), tmp_path / "raw.parquet")
    first, second = pq.read_table(tmp_path / "raw.parquet").to_pylist(maps_as_pydicts="strict")
    assert {name: first[name] for name in extras} == extras
    assert (second["subject"], second["groups"], second["votes"]) == (None, {}, None)


def test_the_file_says_what_the_source_was_read_as(tmp_path):
    raw.write(SOURCE, iter(ITEMS), tmp_path / "raw.parquet")
    about = raw.about(tmp_path / "raw.parquet")
    assert about == {"read_as": ["class folders"], "left_out": {"files of other kinds": 2}}
