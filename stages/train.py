"""Train: one model, measured on validation, resumable after a kill, watched in MLflow."""

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from entry import ROOT, SCRATCH, inputs, run, write_json
from mien import faces, models, tracking
from mien.metrics import score
from mien.params import Params

if TYPE_CHECKING:
    from mien.training import Trained

TRAINING, VALIDATION = Path("data/training"), Path("data/faces/validation")
MODEL, REPORTS, METRICS = Path("models/train"), Path("reports/train"), Path("metrics/train.json")


def main(params: Params) -> None:
    """Train `model.arch`; write the model, its record, its scores and its history."""
    models.use_backend(params.train.backend)
    from mien.models import pretrained
    from mien.training import cross_validate, fit

    training, validation = faces.load(TRAINING), faces.load(VALIDATION)
    spec = params.model.model_dump() | {
        "classes": list(training.classes),
        "image_size": training.images.shape[1],
    }
    models.check(spec)
    start = pretrained.load(spec)
    record: dict[str, Any] = {
        "name": "train",
        "spec": spec,
        "pretrained": {"weights": spec["weights"], "sha256": start.sha256 if start else None},
        "params": params.model_dump(mode="json", include={"augment", "model", "seed", "train"}),
    }
    hashes = inputs()
    record["data"] = {path: hashes[path] for path in (str(TRAINING), str(VALIDATION))}
    # DVC hashes the path of a weights file, not what lies there.
    checkpoints = SCRATCH / "train" / tracking.key([hashes, record["pretrained"]])
    recipe: dict[str, Any] = {
        "train": params.train,
        "augment": params.augment,
        "seed": params.seed,
        "pretrained": start,
    }
    key = tracking.key(hashes)
    with tracking.live("train", "train", key, record["params"], ROOT) as watched:
        trained = fit(
            spec,
            training,
            validation,
            **recipe,
            checkpoints=checkpoints / "model",
            watch=watched.log,
        )
        # What a kill between a checkpoint and its log left out.
        watched.log(trained.history)
        metrics = _write_model(trained, validation, record, params.seed)
        if params.train.folds:
            metrics["folds"] = cross_validate(spec, training, **recipe, checkpoints=checkpoints)
        write_json(METRICS, metrics)
        REPORTS.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(trained.history).round(6).to_csv(REPORTS / "history.csv", index=False)
        watched.finish(record)
    shutil.rmtree(checkpoints)


def _write_model(
    trained: "Trained", validation: faces.Faces, record: dict[str, Any], seed: int
) -> dict[str, Any]:
    """Write weights, validation probabilities and the record; return the model's metrics."""
    MODEL.mkdir(parents=True, exist_ok=True)
    weights = MODEL / "model.weights.h5"
    trained.model.save_weights(weights)
    record["weights_sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    write_json(MODEL / "record.json", record)
    probabilities = trained.model.predict(validation.images, batch_size=256, verbose=0)
    np.save(MODEL / "validation.npy", probabilities)
    parameters, multiply_adds = models.cost(trained.model)
    return {
        "arch": record["spec"]["arch"],
        "pretrained": record["pretrained"],
        "parameters": parameters,
        "multiply_adds": multiply_adds,
        "epochs": len(trained.history),
        **score(validation.labels, probabilities, validation.classes, seed),
    }


if __name__ == "__main__":
    run(main)
