"""A checkpoint for each finished epoch; a kill at any moment leaves the last one intact."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

STATE = "state.json"


@dataclass
class TrainingState:
    """The state of a training between epochs, besides the model and its optimiser.

    Attributes:
        history: one row of metrics for each finished epoch.
        average: moving average of the weights.
        best: the averaged weights of the epoch with the lowest validation loss.
        seconds: duration of the finished epochs.
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
    """Write the model, its optimiser and `state` into `folder`, then remove the previous epoch.

    The new files become the checkpoint only when the state file is renamed.
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
    """Return the number of finished epochs of the checkpoint in `folder`, 0 without one."""
    path = folder / STATE
    return len(json.loads(path.read_text())["history"]) if path.exists() else 0


def load(folder: Path, model: keras.Model) -> TrainingState:
    """Load the checkpoint in `folder` into `model` and return its state; else a new state.

    Args:
        folder: may be missing, or have files of an interrupted epoch.
        model: compiled, with its optimiser built.
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
