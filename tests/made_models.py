"""Three small nets that nobody trained, and their ensemble, as an evaluation finds them."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from conftest import CLASSES, made_faces

from mien import models
from mien.project import ModelId

TEST = made_faces(48)
IDS = {name: ModelId.parse(name) for name in ("train", "tune_simple_cnn", "tune_two_conv")}
# The third member has no say.
COMBINATION = {
    "method": "weighted",
    "members": ["train", "tune_simple_cnn"],
    "weights": [0.75, 0.25],
    "temperature": 1.0,
}
HISTORY = pd.DataFrame(
    [range(1, 7)],
    columns=["epoch", "loss", "val_loss", "accuracy", "val_accuracy", "val_macro_f1"],
)


def record(name: str) -> dict[str, Any]:
    """Return the content of a model's record.json; only `train` attends to places."""
    spec = {"arch": "ensemble", "classes": list(CLASSES), "image_size": 48}
    if name == "ensemble":
        return {"name": name, "spec": spec, "combination": COMBINATION}
    attention = "cbam" if name == "train" else "none"
    spec |= {"arch": "simple_cnn", "width": 0.1, "attention": attention}
    return {"name": name, "spec": spec, "params": {"train": {"backend": "tensorflow"}}}


def net(name: str) -> keras.Model:
    seed = list(IDS).index(name)
    model = models.build(record(name)["spec"], seed)
    rng = np.random.default_rng(seed)
    # Strong weights, so that the net does not take every face for one class.
    model.set_weights([rng.normal(0, 0.5, weight.shape) for weight in model.get_weights()])
    return model


def write(folder: Path, name: str) -> None:
    """Write record and weights of a model, or the ensemble's record, into its own folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "record.json").write_text(json.dumps(record(name)))
    if name != "ensemble":
        net(name).save_weights(folder / "model.weights.h5")


def written(root: Path) -> dict[str, Path]:
    """Return the folders of the nets, written under `root`."""
    folders = {name: root / model.model_folder for name, model in IDS.items()}
    for name, folder in folders.items():
        write(folder, name)
    return folders


def validation(**macro_f1: float) -> dict[str, dict[str, float]]:
    """Return what says how good each model is on validation."""
    return {
        name: {"macro_f1": value, "macro_f1_low": value - 0.1, "macro_f1_high": value + 0.1}
        for name, value in macro_f1.items()
    }


# The ensemble is no better than its best member.
SCORES = {"train": 0.7, "tune_simple_cnn": 0.6, "tune_two_conv": 0.5, "ensemble": 0.7}
