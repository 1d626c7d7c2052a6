"""A made pipeline state for the tests of tracking: numbers and files without a training."""

import functools
import io
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from mien import tracking
from mien.project import ModelId
from mien.tracking import TrackedModel, key

PARAMS: dict[str, Any] = {
    "seed": 17,
    "model": {"arch": "simple_cnn", "width": 0.25, "dropout": None},
    "train": {"epochs": 3, "backend": "tensorflow", "learning_rate": 0.00001},
    "augment": {"rotation": {"probability": 0.5, "range": [-15, 15]}},
}
CLASSES = ["happy", "sad (very)"]
HISTORY = [
    {"epoch": epoch, "loss": 1 / epoch, "val_loss": 2 / epoch, "val_macro_f1": 0.25 * epoch}
    for epoch in (1, 2, 3)
]
# What a run shows of `loss`: each epoch once, with the digits of history.csv.
EPOCHS = {row["epoch"]: [round(row["loss"], 6)] for row in HISTORY}


@functools.cache
def empty_database() -> bytes:
    """Return a database with MLflow's tables, which take seconds to make."""
    with tempfile.TemporaryDirectory() as folder:
        MlflowClient(f"sqlite:///{folder}/mlflow.db").search_experiments()
        return Path(folder, "mlflow.db").read_bytes()


def project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a new project's folder, now the working folder, with nothing set outside it."""
    for name in ("MLFLOW_TRACKING_URI", "MIEN_TRACKING", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    root = folder / "a project"
    root.mkdir()
    (root / "mlflow.db").write_bytes(empty_database())
    monkeypatch.chdir(root)
    return root


def score(macro_f1: float) -> dict[str, Any]:
    """Return made scores in the form of metrics.score."""
    intervals = {"macro_f1_low": macro_f1 - 0.1, "macro_f1_high": macro_f1 + 0.1}
    accuracy = {"accuracy": 0.75, "accuracy_low": 0.5, "accuracy_high": 0.875}
    per_class = {label: {"f1": macro_f1, "support": 4} for label in CLASSES}
    return {"n": 8, "macro_f1": macro_f1, "per_class": per_class, **accuracy, **intervals}


def made(name: str = "train", weights: bytes = b"one") -> TrackedModel:
    """Write a model of made weights into the working folder; return all that its run shows."""
    model = ModelId.parse(name)
    folder, reports = model.model_folder, model.report_folder
    for path in (folder, reports):
        path.mkdir(parents=True, exist_ok=True)
    spec = {"arch": "simple_cnn", "width": 0.25, "dropout": None, "image_size": 48}
    record = {
        "name": name,
        "spec": {**spec, "classes": CLASSES},
        "params": PARAMS,
        "data": {"data/training": f"{'a' * 32}.dir", "data/faces/validation": f"{'b' * 32}.dir"},
        "weights_sha256": key(weights.hex()),
    }
    (folder / "model.weights.h5").write_bytes(weights)
    (folder / "record.json").write_text(json.dumps(record))
    (reports / "learning_curves.png").write_bytes(b"a chart")
    return TrackedModel(
        id=model,
        inputs=key(["the inputs of", weights.hex()]),
        record=record,
        validation={"parameters": 1000, "multiply_adds": 2000, "epochs": 3, **score(0.625)},
        test=score(0.5),
        history=HISTORY,
        reports=[reports],
    )


def training(root: Path, model: TrackedModel, pipe: Connection, address: str | None) -> None:
    """Train `model`, for a process of its own: log its first epoch, tell so, wait, then go on.

    Args:
        root: the project's folder.
        model: what is trained.
        pipe: gets `logged` after the first epoch, and at the end what was printed.
        address: of the store; None: the project's own.
    """
    # Another test may have set it before this process was there.
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    if address:
        os.environ["MLFLOW_TRACKING_URI"] = address
    with redirect_stderr(io.StringIO()) as said:
        with tracking.live(model.id, model.inputs, PARAMS, root) as run:
            run.log(HISTORY[:1])
            pipe.send("logged")
            pipe.recv()
            run.log(HISTORY)
            run.finish(model.record, 1.5)
        pipe.send(said.getvalue())


TRIALS = [
    {
        **{"trial": str(number), "state": state, "value": value, "epochs": epochs},
        **{"reason": reason, "train.learning_rate": rate, "model.dropout": dropout},
    }
    for number, state, value, epochs, reason, rate, dropout in (
        (1, "complete", "0.5", "3", "", "0.002", ""),
        (2, "complete", "0.75", "3", "", "0.01", "0.25"),
        (3, "pruned", "0.25", "1", "", "0.0002", "0.5"),
        (4, "failed", "", "2", "the loss is no number", "0.3", "0.0"),
    )
]


def paired(macro_f1: float) -> dict[str, float]:
    """Return a made comparison in the form of metrics.paired."""
    ends = {"macro_f1_difference_low": macro_f1 - 0.1, "macro_f1_difference_high": macro_f1 + 0.1}
    return {"macro_f1_difference": macro_f1, **ends, "mcnemar_p": 0.015625}


def tuned(trials: Sequence[Mapping[str, str]] = TRIALS) -> TrackedModel:
    """Write a tuned model into the working folder; return all that its run shows."""
    model = made("tune_simple_cnn", b"tuned")
    counts = {
        state: sum(trial["state"] == state for trial in trials)
        for state in ("complete", "pruned", "failed")
    }
    best = {"metric": "macro_f1", "best_trial": 2, "best_value": 0.75, "chosen": "best"}
    tuning = {"trials": len(trials), **counts, **best, "difference": paired(0.125)}
    validation = {**model.validation, "tuning": tuning}
    return replace(model, validation=validation, trials=trials)


def ensemble(*members: TrackedModel, idle: Sequence[TrackedModel] = ()) -> TrackedModel:
    """Write a weighted mean of members into the working folder; return all that its run shows."""
    weights = [1.0, 3.0, 2.0][: len(members)]
    combination = {
        **{"method": "weighted", "members": [model.record["name"] for model in members]},
        **{"weights": [weight / sum(weights) for weight in weights], "temperature": 1.0},
    }
    record = {
        "name": "ensemble",
        "spec": {"arch": "ensemble", "classes": CLASSES, "image_size": 48},
        "combination": combination,
        "members": {
            model.record["name"]: model.record["weights_sha256"] for model in (*members, *idle)
        },
        "params": {"ensemble": {"members": [], "method": "auto"}, "seed": 17},
        "data": {"data/faces/validation": f"{'b' * 32}.dir"},
    }
    itself = ModelId("ensemble")
    itself.model_folder.mkdir(parents=True, exist_ok=True)
    (itself.model_folder / "record.json").write_text(json.dumps(record))
    return TrackedModel(
        id=itself,
        inputs=key(["the inputs of", record["members"]]),
        record=record,
        validation={
            **score(0.875),
            "best_member": "train",
            "difference": paired(0.25),
            "leave_one_out": {model.record["name"]: 0.125 for model in members},
        },
        test=score(0.75),
        history=[],
        reports=[],
        members=members,
    )


def evaluation(*models: TrackedModel, champion: str = "train") -> dict[str, Any]:
    """Return what metrics/evaluate.json holds for these models."""
    names = [model.record["name"] for model in models]
    return {
        "models": {name: model.test for name, model in zip(names, models, strict=True)},
        "champion": champion,
        "compared": {name: paired(-0.5) for name in names if name != champion},
    }


def with_test(model: TrackedModel, macro_f1: float) -> TrackedModel:
    """Return the same model with another score on test."""
    return replace(model, test=score(macro_f1))


def client(root: Path) -> MlflowClient:
    return MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root}/mlflow.db")


def runs(root: Path, stage: str) -> list[Run]:
    """Return the stage's runs, deleted ones left out, oldest first."""
    store = client(root)
    experiment = store.get_experiment_by_name("mien")
    return list(
        store.search_runs(
            [experiment.experiment_id],
            f"tags.`mien.stage` = '{stage}'",
            order_by=["attributes.start_time"],
        )
    )


def net_runs(root: Path) -> list[Run]:
    """Return the runs of `train` and of every `tune` stage, oldest first."""
    experiment = client(root).get_experiment_by_name("mien").experiment_id
    found = client(root).search_runs([experiment], order_by=["attributes.start_time"])
    others = ("ensemble", "pipeline", "trial")
    return [run for run in found if run.data.tags["mien.stage"] not in others]


def curve(root: Path, run: Run, metric: str = "epoch/loss") -> Mapping[int, list[float]]:
    """Return the values logged at each step."""
    values: dict[int, list[float]] = {}
    for point in client(root).get_metric_history(run.info.run_id, metric):
        values.setdefault(point.step, []).append(point.value)
    return values
