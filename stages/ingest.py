"""ingest: every picture of the source, unchanged, in one file with name, label and split."""

from collections import Counter
from pathlib import Path

from tqdm import tqdm

from entry import run
from mien import sources
from mien.params import Params
from mien.project import scratch
from mien.sources import raw, remote


def main(params: Params) -> None:
    """Write data/raw.parquet, sorted by name, from data.url or, if empty, data.source."""
    path = Path(params.data.source)
    if params.data.url is not None:
        path = remote.fetch(params.data.url, params.data.sha256, scratch() / "downloads")
    with sources.opened(path) as source:
        if source.ignored:
            names = sources.examples(source.ignored)
            print(f"ingest: ignored what is no picture ({len(source.ignored):,}): {names}")
        pictures = tqdm(source, desc="ingest", unit=" images", delay=2, disable=None)
        raw.write(pictures, Path("data/raw.parquet"))
    counts = Counter(entry.split for entry in source.entries)
    splits = ("train", "validation", "test", None)
    parts = [f"{counts[s]:,} {s or 'without a split'}" for s in splits if counts[s]]
    print(f"ingest: {len(source):,} images: {', '.join(parts)}")


if __name__ == "__main__":
    run(main)
