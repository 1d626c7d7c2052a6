"""Suspects: training images whose label is probably wrong, by confident learning.

Northcutt et al. 2021, Confident Learning: Estimating Uncertainty in Dataset Labels, JAIR 70,
arXiv:1911.00068, implemented by cleanlab.
"""

from typing import Any

import numpy as np
import pandas as pd

from mien.faces import Faces
from mien.params import Labels, Train

COLUMNS = ["row", "name", "label", "suggested", "confidence", "suggested_confidence"]
RECIPE = {
    "batch_size": 64,
    "optimizer": "adamw",
    "learning_rate": None,
    "trunk_rate": 1.0,
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


def find(faces: Faces, probabilities: np.ndarray) -> pd.DataFrame:
    """Return a row for each suspect, the most probably wrong first.

    Args:
        faces: images with the labels to check.
        probabilities: out-of-fold probabilities: float, shape (N, C).

    Returns:
        `row` (in `faces`), `name`, `label`, `suggested` (the most probable class), `confidence`
        (probability of the label) and `suggested_confidence`.
    """
    from cleanlab.filter import find_label_issues

    rows = find_label_issues(
        faces.labels,
        probabilities.astype(np.float64),
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    classes, suggested = np.array(faces.classes), probabilities[rows].argmax(axis=1)
    return pd.DataFrame(
        {
            "row": np.asarray(rows, np.int64),
            "name": faces.index["name"].to_numpy()[rows],
            "label": classes[faces.labels[rows]],
            "suggested": classes[suggested],
            "confidence": probabilities[rows, faces.labels[rows]],
            "suggested_confidence": probabilities[rows, suggested],
        }
    )


def summary(faces: Faces, probabilities: np.ndarray, suspects: pd.DataFrame) -> dict[str, Any]:
    """Return counts for metrics/suspects.json.

    Args:
        faces: the N checked images.
        probabilities: as for `find`.
        suspects: the result of `find`.
    """
    right = probabilities.argmax(axis=1) == faces.labels
    pairs = suspects[["label", "suggested"]].value_counts()
    return {
        "images": len(faces),
        "out_of_fold_accuracy": round(float(right.mean()), 6),
        "suspects": len(suspects),
        "pairs": {f"{one} as {other}": int(count) for (one, other), count in pairs.items()},
    }


def recipe(labels: Labels) -> Train:
    """Return how the judging networks are trained.

    Not by params.train: a change to the training should not repeat the search.
    """
    return Train.model_validate(RECIPE | {"epochs": labels.epochs, "folds": labels.folds})
