"""Time reading and auditing a data set, compared with a simple loop; print a line of JSON.

    python benchmarks/reading.py [SOURCE]

SOURCE is any data.source; without it 20,000 faces are generated from the sample. All are written as
files in folders. The loop is Keras' `load_img` and `img_to_array` for each file, into one array.
`read` is `ingest`, which lists and packs the files, and the decoding of `prepare`, which gives the
same array with sizes, colours and checksums. `prepare` is the whole stage: decoding, audit,
near-duplicates, splits, charts and pictures. They alternate in this process; imports are not timed.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import chdir, redirect_stdout
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import pyarrow.parquet as pq
from growth import ROOT, SIDE, lay_params, made
from keras.utils import img_to_array, load_img

sys.path.insert(0, str(ROOT / "stages"))
import ingest
import prepare
from mien import params, sources
from mien.preparation.decoding import decode_all
from mien.preparation.prepare import chosen_files

RAW = Path("data/raw.parquet")

COUNT, ROUNDS = 20_000, 3


def lay(source: str | None, folder: Path) -> int:
    """Write the pictures as files into `folder`; return how many."""
    if source is None:
        pictures = list(made(COUNT))
    else:
        with sources.opened(Path(source)) as found:
            pictures = [
                (f"{item.split or ''}/{item.label}/{row}{Path(item.name).suffix}", item.data)
                for row, item in enumerate(found)
            ]
    for name, data in pictures:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return len(pictures)


def loop() -> None:
    """Read every file as tutorials do."""
    paths = [path for path in sorted(Path("faces").rglob("*")) if path.is_file()]
    size = (SIDE, SIDE)
    np.array([img_to_array(load_img(p, color_mode="grayscale", target_size=size)) for p in paths])


def read() -> None:
    """Pack and decode every file."""
    with redirect_stdout(None):
        ingest.main(params.load())
    labels = pq.read_table(RAW, columns=["label"])["label"].unique().to_pylist()
    decode_all(chosen_files(RAW, labels), pq.read_metadata(RAW).num_rows, SIDE)


def audit() -> None:
    """Run `prepare` on the packed file."""
    prepare.main(params.load())


def taken(run: Callable[[], None]) -> tuple[float, float]:
    """Return the wall and CPU seconds of a run."""
    start, computed = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - start, time.process_time() - computed


def main() -> None:
    """Measure and print."""
    source = str(Path(sys.argv[1]).resolve()) if len(sys.argv) > 1 else None
    result: dict[str, object] = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2)}
    with tempfile.TemporaryDirectory() as name, chdir(name):
        result["images"] = lay(source, Path("faces"))
        lay_params(Path(name), "faces")
        runs = [[taken(run) for run in (loop, read, audit)] for _ in range(ROUNDS)]
    for place, clock in enumerate(("seconds", "cpu_seconds")):
        own, ours, audited = np.median([[one[place] for one in run] for run in runs], axis=0)
        result[clock] = {
            "loop": round(own, 2),
            "read": round(ours, 2),
            "prepare": round(audited, 2),
        }
        result[f"times_faster_{clock}"] = round(own / ours, 1)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
