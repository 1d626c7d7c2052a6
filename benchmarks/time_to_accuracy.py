"""Times `compact` beside `seed_cnn` until 70 % of validation is right; prints a line of JSON.

    python benchmarks/time_to_accuracy.py SOURCE [TARGET]

SOURCE is a set with its own train and validation, of which every readable image is kept. Both nets
are trained by `mien.training.fit`, each in a process of its own, and take turns of an epoch, so
that whatever else the machine does slows both. An epoch's time is from its first step to its
checkpoint, validation included; the building of the net and the tracing of its graph count too.

`seed_cnn` learns as its author had it: Adam, batches of 32, the rate lowered on a plateau of the
validation loss. The rate itself is not known: RATES are tried, and the better one goes on alone.
`compact` learns three times, from other seeds; its median counts.
"""

import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from mien import faces, params, sources
from mien.decoding import decode_all
from mien.models import use_backend

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
    "train.epochs": 40,
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


def changed(changes: Mapping[str, Any]) -> params.Params:
    """Return params.yaml with `changes`, whose keys are as in `dvc exp run -S`."""
    values = params.load().model_dump()
    for key, value in changes.items():
        *path, last = key.split(".")
        section = values
        for name in path:
            section = section[name]
        section[last] = value
    return params.Params.model_validate(values)


def learn(changes: Mapping[str, Any], folder: Path, parent: Connection) -> None:
    """Train, an epoch each time `parent` says go; tell it accuracy, wall and CPU seconds."""
    chosen = changed(changes)
    use_backend(chosen.train.backend)
    from mien.training import described, fit

    training, validation = (faces.load(folder / name) for name in ("train", "validation"))
    spec = described(chosen.model, training)
    wall = cpu = 0.0

    def go() -> None:
        nonlocal wall, cpu
        parent.recv()
        wall, cpu = time.perf_counter(), time.process_time()

    def told(history: list[dict[str, float]]) -> None:
        took = time.perf_counter() - wall, time.process_time() - cpu
        parent.send((history[-1]["val_accuracy"], *took))
        go()

    parent.send(None)
    go()
    # In the folder of `parent`, which ends this process when it has seen enough.
    fit(
        spec,
        training,
        validation,
        train=chosen.train,
        augment=chosen.augment,
        seed=chosen.seed,
        checkpoints=Path(tempfile.mkdtemp(dir=folder)),
        watch=told,
    )


class Training:
    """A training in a process of its own, and what its epochs took."""

    def __init__(self, changes: Mapping[str, Any], folder: Path) -> None:
        """Start the process and wait until it is ready to learn."""
        self.changes, self.epochs = changes, list[tuple[float, float, float]]()
        spawned = multiprocessing.get_context("spawn")
        self._pipe, end = spawned.Pipe()
        self._process = spawned.Process(target=learn, args=(changes, folder, end), daemon=True)
        self._process.start()
        end.close()
        self._pipe.recv()

    def turn(self) -> float:
        """Let it learn for an epoch; return the accuracy on validation."""
        self._pipe.send(None)
        try:
            self.epochs.append(self._pipe.recv())
        except EOFError:
            sys.exit(f"{self.changes} did not reach the target in its epochs; it had {self.epochs}")
        accuracy, wall, cpu = self.epochs[-1]
        name = self.changes.get("model.arch", "compact")
        print(
            f"{name} {len(self.epochs)}: {accuracy:.4f}, {wall:.1f} s, CPU {cpu:.1f} s",
            file=sys.stderr,
        )
        return accuracy

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()

    @property
    def took(self) -> tuple[float, float]:
        """Wall and CPU seconds of all epochs."""
        return sum(epoch[1] for epoch in self.epochs), sum(epoch[2] for epoch in self.epochs)


def in_turns(folder: Path, target: float, done: list[Training]) -> Iterator[None]:
    """Train `compact` from each of SEEDS to the target, an epoch at a time; add each to `done`."""
    for seed in SEEDS:
        training = Training(COMPACT | {"seed": seed}, folder)
        while training.turn() < target:
            yield
        training.stop()
        done.append(training)
        yield


def race(folder: Path, target: float) -> tuple[list[Training], Training]:
    """Return the trainings of `compact` and that of `seed_cnn`, all at the target."""
    quick: list[Training] = []
    turns = in_turns(folder, target, quick)
    slow = [Training(SEED_CNN | {"train.learning_rate": rate}, folder) for rate in RATES]
    accuracy = 0.0
    while accuracy < target:
        next(turns, None)
        accuracy, best = max(((each.turn(), each) for each in slow), key=lambda pair: pair[0])
        if accuracy >= target or len(best.epochs) == TRIED:
            for each in slow:
                if accuracy >= target or each is not best:
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
    wall, cpu = (median(times) for times in zip(*(each.took for each in quick), strict=True))
    its_wall, its_cpu = slow.took
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
        },
        "times_faster": round(its_wall / wall, 1),
        "times_less_cpu": round(its_cpu / cpu, 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
