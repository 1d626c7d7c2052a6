"""ingest: every picture of the source, unchanged, in one file with name, label and split."""

from collections import Counter
from pathlib import Path

from tqdm import tqdm

from entry import run
from mien import sources
from mien.labels import Labels
from mien.params import Params
from mien.project import scratch
from mien.sources import raw, remote

SPLITS = ("train", "validation", "test", None)


def main(params: Params) -> None:
    """Write data/raw.parquet, sorted by name, from data.url or else data.source."""
    data, path = params.data, Path(params.data.source)
    if data.url is not None:
        path = remote.fetch(data.url, data.sha256, scratch() / "downloads")
    labels = Labels(data.labels, data.classes)
    with sources.opened(path, labels, data.format, data.groups, data.resplit) as source:
        for kind, names in source.left_out.items():
            print(f"ingest: left out {kind} ({len(names):,}): {sources.examples(names)}")
        pictures = tqdm(source, desc="ingest", unit=" images", delay=2, disable=None)
        raw.write(source, pictures, Path("data/raw.parquet"))
    counts = Counter(entry.split for entry in source.entries)
    parts = [f"{counts[s]:,} {s or 'without a split'}" for s in SPLITS if counts[s]]
    classes = sorted({entry.label for entry in source.entries})
    told = f"{', '.join(parts)}; {len(classes)} classes: {', '.join(classes)}"
    print(f"ingest: read as {' and '.join(source.forms)}: {told}")


if __name__ == "__main__":
    run(main)
