"""Suspects: nets judge the labels of the train images that they have not learnt from."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from entry import SCRATCH, inputs, run, write_json
from mien import faces, models, suspects, tracking
from mien.params import Params, Train
from mien.plots import contact_sheet, save

TRAIN, SUSPECTS = Path("data/faces/train"), Path("data/suspects")
COLUMNS = ["row", "name", "label", "suggested", "confidence", "suggested_confidence"]
# Not params.train: the search for a better training should not judge the labels anew.
RECIPE = {
    "batch_size": 64,
    "optimizer": "adamw",
    "learning_rate": None,
    "weight_decay": 0.05,
    "schedule": "cosine",
    "warmup_epochs": 1,
    "early_stopping": 0,
    "label_smoothing": 0,
    "mixup": 0,
    "ema": 0.99,
    "precision": "float32",
    "backend": "tensorflow",
    "devices": 1,
}
# Of the sheet of pictures.
SHOWN, WIDE = 60, 10


def main(params: Params) -> None:
    """Write the suspects, what the nets say of every image, and a sheet; only where asked for."""
    SUSPECTS.mkdir(parents=True, exist_ok=True)
    found = pd.DataFrame(columns=COLUMNS)
    summary: dict[str, Any] = {"action": params.audit.labels.action}
    if params.audit.labels.action != "none":
        train = faces.load(TRAIN)
        probabilities = judged(train, params)
        np.save(SUSPECTS / "probabilities.npy", probabilities)
        found = suspects.find(train, probabilities)
        right = probabilities.argmax(axis=1) == train.labels
        pairs = found[["label", "suggested"]].value_counts()
        summary |= {
            "images": len(train),
            "out_of_fold_accuracy": round(float(right.mean()), 6),
            "suspects": len(found),
            "pairs": {f"{one} as {other}": int(count) for (one, other), count in pairs.items()},
        }
        if len(found):
            show(train, found)
    np.save(SUSPECTS / "rows.npy", found["row"].to_numpy(np.int64))
    reports = Path("reports/suspects")
    reports.mkdir(parents=True, exist_ok=True)
    found.round(6).to_csv(reports / "suspects.csv", index=False)
    write_json(Path("metrics/suspects.json"), summary)


def judged(train: faces.Faces, params: Params) -> np.ndarray:
    """Return what nets of the other folds say of each image: float32, shape (N, C).

    Kept under .mien: what is done about suspects can change without judging anew.
    """
    given = inputs()
    del given["params.yaml"]["audit.labels"]["action"]
    folder = SCRATCH / "suspects" / tracking.key(given)
    kept = folder / "probabilities.npy"
    if kept.exists():
        return np.load(kept)
    recipe = Train.model_validate(
        RECIPE | {"epochs": params.audit.labels.epochs, "folds": params.audit.labels.folds}
    )
    models.use_backend(recipe.backend)
    from mien.training import out_of_fold

    spec = {
        "arch": params.audit.labels.arch,
        "classes": list(train.classes),
        "image_size": train.images.shape[1],
    }
    probabilities = np.empty((len(train), len(train.classes)), np.float32)
    for rows, said in out_of_fold(
        spec,
        train,
        train=recipe.suited(spec),
        augment=params.augment,
        seed=params.seed,
        checkpoints=folder / "folds",
    ):
        probabilities[rows] = said
    part = kept.with_suffix(".part.npy")
    np.save(part, probabilities)
    part.replace(kept)
    shutil.rmtree(folder / "folds")
    return probabilities


def show(train: faces.Faces, found: pd.DataFrame) -> None:
    """Write a sheet of the likeliest to be wrong, with label and suggestion."""
    first = found.head(SHOWN)
    captions = [f"{one.label}\n{one.suggested}?" for one in first.itertuples()]
    pictures = [np.asarray(train.images[row]) for row in first["row"]]
    title = "Labels in doubt: the label, and what nets say that have not seen the image"
    save(contact_sheet(pictures, captions, WIDE, title), SUSPECTS / "suspects.png")


if __name__ == "__main__":
    run(main)
