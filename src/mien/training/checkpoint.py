"""A checkpoint for each finished epoch; a kill at any moment leaves the last one whole."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

STATE = "state.json"


@dataclass
class TrainingState:
    """What training carries from epoch to epoch, beside the model and its optimiser.

    Attributes:
        history: one row of figures for each finished epoch.
        average: moving average of the weights.
        best: the averaged weights of the epoch with the lowest validation loss.
        seconds: that the finished epochs took.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    average: list[np.ndarray] = field(default_factory=list)
    best: list[np.ndarray] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def losses(self) -> list[float]:
        """Validation losses, one for each finished epoch."""
        return [row["val_loss"] for row in self.history]


def save(folder: Path, model: keras.Model, state: TrainingState) -> None:
    """Write the model, its optimiser and `state` into `folder`, then drop the epoch before.

    Only the renaming of the state file makes the new files the checkpoint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    epoch = f"{len(state.history):05d}"
    model.save_weights(folder / f"{epoch}.weights.h5")
    arrays = {f"average{i:05d}": array for i, array in enumerate(state.average)}
    arrays |= {f"best{i:05d}": array for i, array in enumerate(state.best)}
    np.savez(folder / f"{epoch}.npz", **arrays)  # type: ignore[arg-type]
    new = folder / f"{STATE}.new"
    new.write_text(json.dumps({"epoch": epoch, "history": state.history, "seconds": state.seconds}))
    os.replace(new, folder / STATE)
    for path in folder.iterdir():
        if path.name != STATE and not path.name.startswith(epoch):
            path.unlink()


def finished(folder: Path) -> int:
    """Return how many epochs the checkpoint in `folder` has behind it, 0 without one."""
    path = folder / STATE
    return len(json.loads(path.read_text())["history"]) if path.exists() else 0


def load(folder: Path, model: keras.Model) -> TrainingState:
    """Return the state last saved in `folder`, its weights now in `model`; else a new state.

    Args:
        folder: may be missing or hold the files of an epoch that was cut off.
        model: compiled, its optimiser built.
    """
    if not (folder / STATE).exists():
        return TrainingState(average=model.get_weights())
    saved = json.loads((folder / STATE).read_text())
    model.load_weights(folder / f"{saved['epoch']}.weights.h5")
    with np.load(folder / f"{saved['epoch']}.npz") as arrays:
        names = sorted(arrays.files)
        average = [arrays[name] for name in names if name.startswith("average")]
        best = [arrays[name] for name in names if name.startswith("best")]
    return TrainingState(saved["history"], average, best, saved["seconds"])
