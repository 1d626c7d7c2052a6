"""Times `compact` beside `seed_cnn` until 70 % of validation is right; prints a line of JSON.

    python benchmarks/time_to_accuracy.py SOURCE [TARGET]

SOURCE is a set with its own train and validation, of which every readable image is kept. Both nets
are trained by `mien.training.fitting.fit`, each in a process of its own, and take turns of an
epoch, so that whatever else the machine does slows both. An epoch's time is from its first step to
its checkpoint, validation included; the building of the net and the tracing of its graph count too.

`seed_cnn` learns as its author had it: Adam, batches of 32, the rate lowered on a plateau of the
validation loss. The rate itself is not known: RATES are tried, and the better one goes on alone.
`compact` learns three times, from other seeds; its median counts. Where `seed_cnn` has not reached
TARGET after its last epoch, `times_faster` is how much more time it had in vain.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from turns import Training

from mien import faces, sources
from mien.preparation.decoding import decode_all

# What a user would set for a short run; params.yaml has the rest.
COMPACT = {
    "augment.each_epoch": False,
    "train.epochs": 3,
    "train.learning_rate": 0.004,
    "train.warmup_epochs": 0.5,
    "train.label_smoothing": 0.0,
    "train.precision": "mixed_bfloat16",
}
SEED_CNN = {
    "model.arch": "seed_cnn",
    "augment.each_epoch": False,
    "train.epochs": 20,
    "train.batch_size": 32,
    "train.optimizer": "adam",
    "train.schedule": "plateau",
    "train.warmup_epochs": 0.0,
    "train.label_smoothing": 0.0,
    "train.ema": 0.0,
}
# Keras' own rate, and the one that mien gives this net. After so many epochs one is left.
RATES, TRIED = (0.001, 0.0005), 2
SEEDS = (17, 18, 19)


def read(path: Path, folder: Path) -> dict[str, int]:
    """Save the readable faces of the source at `path` in `folder`; return the counts."""
    with sources.opened(path) as source:
        items = list(source)
    table, images = decode_all([[item.data for item in items]], len(items), 48)
    index = pd.DataFrame({"name": [item.name for item in items]})
    index["label"] = pd.Categorical([item.label for item in items])
    index = index.assign(group=np.arange(len(index)), seen=False, copy=0)
    split = np.array([item.split for item in items])
    counts = {}
    for name in ("train", "validation"):
        rows = np.flatnonzero((split == name) & table["readable"])
        if not len(rows):
            sys.exit(f"{path} has no readable image in a split {name!r}; give a set that has both")
        counts[name] = len(rows)
        faces.save(
            faces.Faces(images[rows], index.iloc[rows].reset_index(drop=True)), folder / name
        )
    return counts


def in_turns(folder: Path, target: float, done: list[Training]) -> Iterator[None]:
    """Train `compact` from each of SEEDS to the target, an epoch at a time; add each to `done`."""
    for seed in SEEDS:
        training = Training(COMPACT | {"seed": seed}, folder)
        while training.turn().accuracy < target:
            yield
        training.stop()
        done.append(training)
        yield


def race(folder: Path, target: float) -> tuple[list[Training], Training]:
    """Return the trainings of `compact`, all at the target, and that of `seed_cnn`."""
    quick: list[Training] = []
    turns = in_turns(folder, target, quick)
    slow = [Training(SEED_CNN | {"train.learning_rate": rate}, folder) for rate in RATES]
    over = False
    while not over:
        next(turns, None)
        accuracies = [each.turn().accuracy for each in slow]
        best = slow[int(np.argmax(accuracies))]
        over = max(accuracies) >= target or len(best.epochs) == SEED_CNN["train.epochs"]
        if over or len(best.epochs) == TRIED:
            for each in slow:
                if over or each is not best:
                    each.stop()
            slow = [best]
    for _ in turns:
        pass
    return quick, best


def main() -> None:
    """Read, race and print."""
    path = Path(sys.argv[1])
    target = float(sys.argv[2]) if len(sys.argv) > 2 else 0.7
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room)
        counts = read(path, folder)
        quick, slow = race(folder, target)
    wall, cpu = (median(times) for times in zip(*(each.took() for each in quick), strict=True))
    its_wall, its_cpu = slow.took()
    result = {
        "target": target,
        "images": counts,
        "cores": os.cpu_count(),
        "compact": {
            "seconds": round(wall, 1),
            "cpu_seconds": round(cpu, 1),
            "epochs": [len(each.epochs) for each in quick],
        },
        "seed_cnn": {
            "learning_rate": slow.changes["train.learning_rate"],
            "seconds": round(its_wall, 1),
            "cpu_seconds": round(its_cpu, 1),
            "epochs": len(slow.epochs),
            "best_accuracy": round(max(epoch.accuracy for epoch in slow.epochs), 4),
        },
        "times_faster": round(its_wall / wall, 1),
        "times_less_cpu": round(its_cpu / cpu, 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
