"""A study's trials, as child runs of the tuned model's run."""

from __future__ import annotations

from collections.abc import Mapping

from mlflow.entities import Metric, Param, Run

from mien import tracking
from mien.tracking.store import Store

# Columns of trials.csv that are not searched params.
FACTS = ("trial", "state", "value", "epochs", "reason")
# Maximum number of results of one search in MLflow.
MOST = 50_000


def log_trials(store: Store, parent: Run, model: tracking.TrackedModel) -> None:
    """Log the trials that are missing or incomplete in the parent's run.

    A trial is identified by its complete row. It takes three requests, because MLflow accepts
    metrics and params for one run at a time.

    Args:
        store: the store.
        parent: run of the tuned model.
        model: the tuned model, with its `trials`.
    """
    if not model.trials:
        return
    children = store.client.search_runs(
        [store.experiment],
        f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'",
        max_results=MOST,
    )
    known = {run.data.tags.get("mien.trial"): run for run in children}
    # There are no times of trials. With the creation time of the experiment they are listed after
    # all other runs; the list shows the newest hundred.
    begin = store.client.get_experiment(store.experiment).creation_time or 0
    for row in model.trials:
        time = begin + int(row["trial"])
        run = known.get(tracking.key(row)) or _create(store, parent, model, row, time)
        if run.info.status == "RUNNING":
            _complete(store, run, model, row)


def _create(
    store: Store, parent: Run, model: tracking.TrackedModel, row: Mapping[str, str], time: int
) -> Run:
    tags = {
        "mlflow.parentRunId": parent.info.run_id,
        # A separate stage, so that searches by stage do not find trials.
        "mien.stage": "trial",
        "mien.arch": model.record["spec"]["arch"],
        "mien.trial": tracking.key(row),
        "mien.state": row["state"],
    }
    if row["reason"]:
        tags["mien.reason"] = row["reason"]
    return store.client.create_run(store.experiment, time, tags, f"trial {row['trial']}")


def _complete(store: Store, run: Run, model: tracking.TrackedModel, row: Mapping[str, str]) -> None:
    """Log and end the trial; repeating this after an interruption adds nothing twice."""
    identifier, time = run.info.run_id, run.info.start_time
    name = f"validation/{model.validation['tuning']['metric']}"
    # An empty value means the architecture's default.
    searched = {key: value for key, value in row.items() if key not in FACTS and value}
    store.client.log_batch(
        identifier,
        metrics=[Metric(name, float(row["value"]), time, 0)] if row["value"] else [],
        params=[Param(key, value) for key, value in {**searched, "epochs": row["epochs"]}.items()],
    )
    status = "FAILED" if row["state"] == "failed" else "FINISHED"
    store.client.set_terminated(identifier, status, time)
