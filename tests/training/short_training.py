"""A net that trains in two seconds, with what its tests compare: batch normalisation, dropout."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
from conftest import CLASSES, made_faces

from mien import params
from mien.params import Augment, Train
from mien.training.fitting import History, Trained, fit

PARAMS = params.load(Path(__file__).parents[2] / "params.yaml")
SPEC = {
    "arch": "leaky_cnn",
    "depth": 1,
    "width": 0.25,
    "dropout": 0.2,
    "classes": list(CLASSES),
    "image_size": 48,
}
STILL = PARAMS.augment.model_copy(update={"each_epoch": False})


def recipe(**changes: object) -> Train:
    short = {"epochs": 3, "batch_size": 16, "ema": 0.9, "warmup_epochs": 1, "mixup": 0.2}
    return Train.model_validate(PARAMS.train.model_dump() | short | changes)


def trained(
    folder: Path, train: Train, augment: Augment = PARAMS.augment, seed: int = 1, **more: object
) -> Trained:
    return fit(
        SPEC,
        made_faces(48),
        made_faces(24, seed=9),
        train=train,
        augment=augment,
        seed=seed,
        checkpoints=folder,
        **more,
    )


def copying(checkpoints: Path, copies: Path) -> Callable[[History], None]:
    """Return a `watch` that copies the checkpoint after each epoch into a folder of its number.

    What goes on from such a copy was killed just then.
    """
    return lambda history: shutil.copytree(checkpoints, copies / str(len(history)))


def digest(model: keras.Model, folder: Path) -> str:
    model.save_weights(folder / "model.weights.h5")
    return hashlib.sha256((folder / "model.weights.h5").read_bytes()).hexdigest()
