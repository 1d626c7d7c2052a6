"""What `train`, `tune` and `distill` share: how a model is trained, recorded and written."""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from entry import ROOT, SCRATCH, STAGE, inputs, write_json
from mien import models, tracking
from mien.faces import Faces
from mien.metrics import score_faces
from mien.params import Params

if TYPE_CHECKING:
    from mien.models.pretrained import Pretrained
    from mien.training import Trained

TRAINING, VALIDATION = Path("data/training"), Path("data/faces/validation")
# Sections of params.yaml that a model depends on.
SECTIONS = {"augment", "model", "seed", "train"}


def train_model(
    place: str,
    params: Params,
    training: Faces,
    validation: Faces,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Train, write and show in MLflow the one model of this stage.

    Args:
        place: under models/, metrics/ and reports/; with `_` for `/` the model's name.
        params: `model` and `train` as this model has them.
        training: images to learn from.
        validation: images the model is measured on.
        more: what its record says beside the usual.
    """
    from mien.models import pretrained
    from mien.training import board, cross_validate, described, fit

    name = place.replace("/", "_")
    suited = params.train.suited(params.model.model_dump())
    params = params.model_copy(update={"train": suited})
    spec = described(params.model, training)
    models.check(spec)
    start, hashes = pretrained.load(spec), inputs()
    sections = params.model_dump(mode="json", include=SECTIONS)
    record = recorded(name, spec, start, sections, hashes) | dict(more or {})
    # DVC hashes the path of a weights file, not what lies there.
    checkpoints = SCRATCH / "train" / tracking.key([hashes, record["pretrained"]])
    recipe: dict[str, Any] = {
        "train": params.train,
        "augment": params.augment,
        "seed": params.seed,
        "pretrained": start,
    }
    events = SCRATCH / "tensorboard" / STAGE if params.tensorboard else None
    with (
        tracking.live(STAGE, name, tracking.key(hashes), sections, ROOT) as watched,
        board(events) as show,
    ):

        def watch(history: list[dict[str, float]]) -> None:
            watched.log(history)
            show(history)

        trained = fit(
            spec, training, validation, **recipe, checkpoints=checkpoints / "model", watch=watch
        )
        # What a kill between a checkpoint and its log left out.
        watch(trained.history)
        metrics = write_model(place, trained, validation, record)
        if params.train.folds:
            metrics["folds"] = cross_validate(spec, training, **recipe, checkpoints=checkpoints)
        write_json(Path("metrics", f"{place}.json"), metrics)
        watched.finish(record, trained.seconds)
    shutil.rmtree(checkpoints)


def recorded(
    name: str,
    spec: dict[str, Any],
    start: "Pretrained | None",
    params: dict[str, Any],
    hashes: dict[str, Any],
) -> dict[str, Any]:
    """Return a model's record but for the hash of its weights.

    Args:
        name: `train`, `tune_ARCH` or `distill_ARCH`.
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
        **score_faces(validation, probabilities, seed),
    }
