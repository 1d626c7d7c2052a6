"""The file of raw pictures: all pictures of a source, untouched, with name, label and split.

`part`, `subject`, `groups` and `votes` (see `items.Entry`) are columns only where the source has
some. The schema's metadata `mien` says what the source was read as and what was left out.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mien.sources.items import Item, Source

FIELDS = [
    pa.field("name", pa.string()),
    pa.field("label", pa.string()),
    pa.field("split", pa.string()),
    pa.field("data", pa.binary()),
]
EXTRAS = {
    "part": pa.string(),
    "subject": pa.string(),
    "groups": pa.map_(pa.string(), pa.string()),
    "votes": pa.map_(pa.string(), pa.int32()),
}
# Row groups of at most so many bytes of pictures, or rows, bound the memory.
GROUP_BYTES, GROUP_ROWS = 32 * 2**20, 4096
METADATA = b"mien"


def write(source: Source, items: Iterable[Item], path: Path) -> None:
    """Write `items`, the pictures of `source`, to the Parquet file at `path`.

    It appears only when it is whole.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    schema = _schema(source)
    try:
        # Pictures are already compressed and all different.
        with pq.ParquetWriter(
            part,
            schema,
            compression={"name": "snappy", "label": "snappy", "split": "snappy", "data": "none"},
            use_dictionary=["label", "split"],
            write_statistics=["name", "label", "split"],
        ) as file:
            for group in _groups(items):
                # A column at a time: a row at a time takes as long as reading the pictures.
                columns = {name: [_value(item, name) for item in group] for name in schema.names}
                file.write_table(pa.Table.from_pydict(columns, schema))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def about(path: Path) -> dict[str, Any]:
    """Return what the source was read as: `read_as`, names, and `left_out`, counts by reason."""
    metadata = pq.read_schema(path).metadata or {}
    found: dict[str, Any] = json.loads(metadata.get(METADATA, b"{}"))
    return found


def _schema(source: Source) -> pa.Schema:
    extras = [
        pa.field(name, kind)
        for name, kind in EXTRAS.items()
        if any(getattr(entry, name) for entry in source.entries)
    ]
    told = {
        "read_as": list(source.forms),
        "left_out": {kind: len(names) for kind, names in source.left_out.items()},
    }
    return pa.schema([*FIELDS, *extras], metadata={METADATA: json.dumps(told).encode()})


def _value(item: Item, name: str) -> Any:
    value = getattr(item, name)
    return list(value.items()) if isinstance(value, Mapping) else value


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
