"""Trainings that alternate epoch by epoch, each in a process of its own.

Other load on the machine then slows them equally.
"""

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from mien import faces, params
from mien.models import use_backend


class Epoch(NamedTuple):
    """The result of an epoch.

    Attributes:
        accuracy: on validation, of the averaged weights.
        wall: wall-clock seconds from the first step to the checkpoint, including validation; in
            the first epoch also those of building the network and tracing its graph.
        cpu: processor seconds in this time.
    """

    accuracy: float
    wall: float
    cpu: float


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
    """Train with `changes` on the data in `folder`, an epoch per message from `parent`."""
    chosen = changed(changes)
    use_backend(chosen.train.backend)
    from mien.training.fitting import fit
    from mien.training.recipe import model_spec

    training, validation = (faces.load(folder / name) for name in ("train", "validation"))
    spec = model_spec(chosen.model, training)
    wall = cpu = 0.0

    def wait() -> None:
        nonlocal wall, cpu
        parent.recv()
        wall, cpu = time.perf_counter(), time.process_time()

    def tell(history: list[dict[str, float]]) -> None:
        took = time.perf_counter() - wall, time.process_time() - cpu
        parent.send(Epoch(history[-1]["val_accuracy"], *took))
        wait()

    parent.send(None)
    wait()
    # In the folder of `parent`, which ends this process when it is no longer needed.
    fit(
        spec,
        training,
        validation,
        train=chosen.train,
        augment=chosen.augment,
        seed=chosen.seed,
        checkpoints=Path(tempfile.mkdtemp(dir=folder)),
        watch=tell,
    )


class Training:
    """A training in a process of its own, and its epochs so far."""

    def __init__(self, changes: Mapping[str, Any], folder: Path) -> None:
        """Start the process and wait until it is ready to train.

        Args:
            changes: changes to params.yaml, with keys as in `dvc exp run -S`.
            folder: folder with the faces in `train` and `validation`, also for checkpoints.
        """
        self.changes, self.epochs = changes, list[Epoch]()
        spawned = multiprocessing.get_context("spawn")
        self._pipe, end = spawned.Pipe()
        self._process = spawned.Process(target=learn, args=(changes, folder, end), daemon=True)
        self._process.start()
        end.close()
        self._pipe.recv()

    def turn(self) -> Epoch:
        """Train for an epoch."""
        self._pipe.send(None)
        try:
            self.epochs.append(self._pipe.recv())
        except EOFError:
            sys.exit(f"the training of {self.changes} ended after {self.epochs}")
        return self.epochs[-1]

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()

    def took(self) -> tuple[float, float]:
        """Return the wall and CPU seconds of all epochs."""
        return sum(epoch.wall for epoch in self.epochs), sum(epoch.cpu for epoch in self.epochs)
