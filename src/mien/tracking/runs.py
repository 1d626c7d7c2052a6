"""Runs of the experiment: find by tags, start or resume, log, finish.

Metrics have groups, as MLflow shows them: `epoch/`, `validation/`, `test/` and `cost/`.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from mien.tracking import History, origin
from mien.tracking.store import Store

# One request of MLflow holds at most 1000 metrics and 100 params.
METRICS_PER_REQUEST = 1000
PARAMS_PER_REQUEST = 100
# What MLflow shows of a model, too; logged first, as MLflow compares runs by their first metric.
HEADLINES = (
    *(f"{split}/{name}" for split in ("validation", "test") for name in ("macro_f1", "accuracy")),
    *("test/roc_auc", "cost/parameters", "cost/multiply_adds", "cost/training_seconds"),
)
SECONDS = "cost/training_seconds"


def find(store: Store, tag: str, value: str, *statuses: str) -> Run | None:
    """Return the newest run whose `tag` has `value` and whose status is one of `statuses`."""
    found = store.client.search_runs(
        [store.experiment],
        f"tags.`{tag}` = '{value}'",
        order_by=["attributes.start_time DESC"],
    )
    return next((run for run in found if run.info.status in statuses), None)


def kind(params: Mapping[str, Any]) -> str:
    """Return what tells a training from others in a list of runs: `compact ×2, 60 epochs`.

    Args:
        params: the sections `model` and `train` of params.yaml.
    """
    model, train = params["model"], params["train"]
    width, weights = model.get("width", 1.0), model.get("weights", "none")
    name = model["arch"] if width == 1 else f"{model['arch']} ×{width:g}"
    start = "" if weights == "none" else f", from {PurePath(weights).name}"
    return f"{name}, {train['epochs']} epochs{start}"


def close_dead(store: Store) -> int:
    """End as killed the runs on this host that are marked as running but have no process.

    Returns their number.
    """
    found = store.client.search_runs([store.experiment], "attributes.status = 'RUNNING'")
    dead = [run for run in found if origin.dead(run.data.tags.get("mien.process", ""))]
    for run in dead:
        store.client.set_terminated(run.info.run_id, "KILLED")
    return len(dead)


def begin(
    store: Store, title: str, *, stage: str, arch: str, inputs: str, start: float | None = None
) -> Run:
    """Resume and return the interrupted run with these inputs, or start a new one.

    A run that is alive, or is on another host, is not changed; call `close_dead` first.

    Args:
        store: the store.
        title: title in the list of runs.
        stage: DVC stage, or `pipeline`.
        arch: architecture of the model, or of the pipeline's champion.
        inputs: key of everything the run depends on.
        start: when a new run began, in seconds since 1970; None: now.
    """
    owner = {"mien.process": origin.process()}
    run = find(store, "mien.inputs", inputs, "KILLED", "FAILED")
    if run is None:
        identity = {"mien.stage": stage, "mien.arch": arch, "mien.inputs": inputs}
        return store.client.create_run(
            store.experiment,
            None if start is None else int(1000 * start),
            {**origin.tags(), **identity, **owner},
            title,
        )
    store.client.update_run(run.info.run_id, status="RUNNING")
    set_tags(store, run, owner)
    return run


def finish(store: Store, run: Run, key: str) -> Run:
    """End the run and set `key`; return the finished run that has the key.

    If another process or host finished an identical run first, that one is kept and this run is
    deleted.
    """
    twin = find(store, "mien.key", key, "FINISHED")
    if twin is not None:
        store.client.delete_run(run.info.run_id)
        return twin
    store.client.set_tag(run.info.run_id, "mien.key", key)
    # Only a run that is running needs its owner.
    store.client.delete_tag(run.info.run_id, "mien.process")
    store.client.set_terminated(run.info.run_id)
    return run


def set_tags(store: Store, run: Run, tags: Mapping[str, str]) -> None:
    """Set several tags at once."""
    store.client.log_batch(
        run.info.run_id, tags=[RunTag(tag, value) for tag, value in tags.items()]
    )


def artifact(store: Store, run: Run, name: str) -> dict[str, Any]:
    """Return the content of a JSON artefact of the run; empty if there is none."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = store.client.download_artifacts(run.info.run_id, name, folder)
            content: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        # A file that was being written when the process was killed is no JSON.
        except (MlflowException, OSError, ValueError):
            return {}
        return content


def log_params(store: Store, run: Run, params: Mapping[str, Any]) -> None:
    """Log nested params under dotted names, as JSON text; existing ones are not changed."""
    missing = [
        Param(_clean(name), value if isinstance(value, str) else json.dumps(value))
        for name, value in _flat(params).items()
        if _clean(name) not in run.data.params
    ]
    for start in range(0, len(missing), PARAMS_PER_REQUEST):
        store.client.log_batch(run.info.run_id, params=missing[start : start + PARAMS_PER_REQUEST])


def log_scores(store: Store, run: Run, values: Mapping[str, float]) -> None:
    """Log the values that differ from those of the run."""
    known = run.data.metrics
    order = sorted(values, key=lambda name: name not in HEADLINES)
    new = {name: values[name] for name in order if known.get(name) != values[name]}
    _log_metrics(store, run, [_metric(name, value, 0) for name, value in new.items()])


def log_headlines(store: Store, run: Run, model_id: str) -> None:
    """Link the run's headlines to a model, whose pages then show them with the run as source."""
    linked = store.client.get_logged_model(model_id).metrics or []
    known = {metric.key: metric.value for metric in linked}
    new = []
    for name in HEADLINES:
        # As it was logged, time included, so that the run's own history does not grow.
        for one in store.client.get_metric_history(run.info.run_id, name)[-1:]:
            if known.get(name) != one.value:
                one = Metric(one.key, one.value, one.timestamp, one.step, model_id)
                new.append(one)
    _log_metrics(store, run, new)


def logged_epochs(store: Store, run: Run) -> set[int]:
    """Return the epochs whose metrics the run has."""
    found = store.client.get_metric_history(run.info.run_id, "epoch/loss")
    return {metric.step for metric in found}


def log_epochs(store: Store, run: Run, history: History) -> None:
    """Log every column of the history's rows except `epoch`, which is the step."""
    _log_metrics(
        store,
        run,
        [
            # As many digits as in history.csv, so that a restored model has the same curve.
            _metric(f"epoch/{column}", round(float(value), 6), int(row["epoch"]))
            for row in history
            for column, value in sorted(row.items(), key=lambda item: item[0] != "val_macro_f1")
            if column != "epoch" and value not in (None, "")
        ],
    )


def scores(group: str, score: Mapping[str, Any]) -> dict[str, float]:
    """Return a score's numbers in a group, nested ones joined by `_`, and F1 per class."""
    numbers = {
        f"{group}/{_clean(name.replace('.', '_'))}": value
        for name, value in _flat(
            {name: part for name, part in score.items() if name != "per_class"}
        ).items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    per_class = {
        f"{group}/f1_{_clean(label)}": part["f1"]
        for label, part in score.get("per_class", {}).items()
    }
    return numbers | per_class


def _log_metrics(store: Store, run: Run, metrics: list[Metric]) -> None:
    for start in range(0, len(metrics), METRICS_PER_REQUEST):
        store.client.log_batch(
            run.info.run_id, metrics=metrics[start : start + METRICS_PER_REQUEST]
        )


def _metric(name: str, value: float, step: int) -> Metric:
    return Metric(name, value, int(time.time() * 1000), step)


def _clean(name: str) -> str:
    # Characters that MLflow allows in names; class names come from users' folders.
    return re.sub(r"[^\w.\- :]", "_", name)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
