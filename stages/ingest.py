"""Ingest: every picture of the source, untouched, in one file with its name, label and split."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from entry import SCRATCH, run
from mien import sources
from mien.params import Params
from mien.sources import remote

RAW = Path("data/raw.parquet")
SCHEMA = pa.schema(
    [("name", pa.string()), ("label", pa.string()), ("split", pa.string()), ("data", pa.binary())]
)
# Row groups of at most so many bytes of pictures, or rows, bound the memory.
GROUP_BYTES, GROUP_ROWS = 32 * 2**20, 4096


def main(params: Params) -> None:
    """Write data/raw.parquet, sorted by name, from data.url or else data.source."""
    path = Path(params.data.source)
    if params.data.url is not None:
        path = remote.fetch(params.data.url, params.data.sha256, SCRATCH / "downloads")
    with sources.opened(path) as source:
        if source.ignored:
            names = sources.examples(source.ignored)
            print(f"ingest: ignored what is no picture ({len(source.ignored):,}): {names}")
        write(tqdm(source, desc="ingest", unit=" images", delay=2, disable=None), RAW)
    counts = Counter(entry.split for entry in source.entries)
    splits = ("train", "validation", "test", None)
    parts = [f"{counts[s]:,} {s or 'without a split'}" for s in splits if counts[s]]
    print(f"ingest: {len(source):,} images: {', '.join(parts)}")


def write(items: Iterable[sources.Item], path: Path) -> None:
    """Write `items` to the Parquet file at `path`, which appears only when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    try:
        # Pictures are compressed already, and each differs from the others.
        with pq.ParquetWriter(
            part,
            SCHEMA,
            compression={"name": "snappy", "label": "snappy", "split": "snappy", "data": "none"},
            use_dictionary=["label", "split"],
            write_statistics=["name", "label", "split"],
        ) as file:
            for group in groups(items):
                # A column at a time: a row at a time takes as long as reading the pictures.
                columns = {name: [getattr(item, name) for item in group] for name in SCHEMA.names}
                file.write_table(pa.Table.from_pydict(columns, SCHEMA))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def groups(items: Iterable[sources.Item]) -> Iterator[list[sources.Item]]:
    """Yield `items` in lists of at most GROUP_ROWS that end once they hold GROUP_BYTES."""
    group: list[sources.Item] = []
    size = 0
    for item in items:
        group.append(item)
        size += len(item.data)
        if size >= GROUP_BYTES or len(group) == GROUP_ROWS:
            yield group
            group, size = [], 0
    if group:
        yield group


if __name__ == "__main__":
    run(main)
