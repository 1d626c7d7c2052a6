"""The file of raw pictures: all pictures of a source, unchanged, with name, label and split."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mien.sources.items import Item

SCHEMA = pa.schema(
    [("name", pa.string()), ("label", pa.string()), ("split", pa.string()), ("data", pa.binary())]
)
# Limits of a row group, in bytes of pictures and in rows; they bound the memory.
GROUP_BYTES, GROUP_ROWS = 32 * 2**20, 4096


def write(items: Iterable[Item], path: Path) -> None:
    """Write `items` to the Parquet file at `path`, which appears only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    try:
        # Pictures are already compressed and all different.
        with pq.ParquetWriter(
            part,
            SCHEMA,
            compression={"name": "snappy", "label": "snappy", "split": "snappy", "data": "none"},
            use_dictionary=["label", "split"],
            write_statistics=["name", "label", "split"],
        ) as file:
            for group in _groups(items):
                # By column: by row it would take as long as reading the pictures.
                columns = {name: [getattr(item, name) for item in group] for name in SCHEMA.names}
                file.write_table(pa.Table.from_pydict(columns, SCHEMA))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _groups(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Yield `items` in lists of at most GROUP_ROWS, each ending once it reaches GROUP_BYTES."""
    group: list[Item] = []
    size = 0
    for item in items:
        group.append(item)
        size += len(item.data)
        if size >= GROUP_BYTES or len(group) == GROUP_ROWS:
            yield group
            group, size = [], 0
    if group:
        yield group
