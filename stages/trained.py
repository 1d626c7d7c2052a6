"""What `train` and `tune` share: the faces they read, and how a model is recorded and written."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from entry import write_json
from mien import models
from mien.faces import Faces
from mien.metrics import score

if TYPE_CHECKING:
    from mien.models.pretrained import Pretrained
    from mien.training import Trained

TRAINING, VALIDATION = Path("data/training"), Path("data/faces/validation")
# Sections of params.yaml that a model depends on.
SECTIONS = {"augment", "model", "seed", "train"}


def recorded(
    name: str,
    spec: dict[str, Any],
    start: "Pretrained | None",
    params: dict[str, Any],
    hashes: dict[str, Any],
) -> dict[str, Any]:
    """Return a model's record but for the hash of its weights.

    Args:
        name: `train` or `tune_ARCH`.
        spec: see `mien.models`.
        start: trained weights that the model starts from.
        params: the SECTIONS that it is trained by.
        hashes: the stage's inputs.
    """
    return {
        "name": name,
        "spec": spec,
        "pretrained": {"weights": spec["weights"], "sha256": start.sha256 if start else None},
        "params": params,
        "data": {path: hashes[path] for path in (str(TRAINING), str(VALIDATION))},
    }


def write_model(
    place: str, trained: "Trained", validation: Faces, record: dict[str, Any]
) -> dict[str, Any]:
    """Write weights, validation probabilities, the record and the history.

    The record gets the weights' hash.

    Args:
        place: under models/ and reports/.
        trained: what `fit` returned.
        validation: the images the model is measured on.
        record: see `recorded`.

    Returns:
        The model's metrics, ready for JSON.
    """
    folder, reports = Path("models", place), Path("reports", place)
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "model.weights.h5"
    trained.model.save_weights(weights)
    record["weights_sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    write_json(folder / "record.json", record)
    probabilities = trained.model.predict(validation.images, batch_size=256, verbose=0)
    np.save(folder / "validation.npy", probabilities)
    reports.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(trained.history).round(6).to_csv(reports / "history.csv", index=False)
    parameters, multiply_adds = models.cost(trained.model)
    seed = record["params"]["seed"]
    return {
        "arch": record["spec"]["arch"],
        "pretrained": record["pretrained"],
        "parameters": parameters,
        "multiply_adds": multiply_adds,
        "epochs": len(trained.history),
        **score(validation.labels, probabilities, validation.classes, seed),
    }
