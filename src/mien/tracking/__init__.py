"""Logging to MLflow: one run per trained model, one per state of the pipeline.

A run is found again by two tags, which is why these two hashes are no artefact. `mien.inputs` is
known before the training and is used to resume a run that was killed. `mien.key` is known after it,
from the model's record: a model that has a finished run never gets a second one, wherever DVC
restored it from.

A model can belong to several pipelines, so its run has no parent run; the runs of pipelines and of
ensembles name their members in their description and in `members.json`. A trial of a study is a
child of the run of the tuned model.

MLflow is imported only when it is used, and never with `MIEN_TRACKING=off`.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mien.errors import TrackingError
from mien.project import ModelId

# MLflow reads some of these when it is imported, so they are set here. A user's settings win.
DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": str(sys.stderr.isatty()).lower(),
    # With MLflow's default of 7 retries of 120 s a lost server would delay a training for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    # Without the messages about a new database.
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
for _name, _value in DEFAULTS.items():
    os.environ.setdefault(_name, _value)

History = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class TrackedModel:
    """A trained model or an ensemble, and everything that its run shows.

    Attributes:
        id: its identity.
        inputs: key of its stage's inputs, as given to `live`.
        record: content of `record.json`.
        validation: content of the stage's file in metrics/: scores on validation; for a network
            also `parameters`, `multiply_adds` and `epochs`, for a tuned one also `tuning`.
        test: scores on test.
        history: one row per epoch, with its `epoch` from 1; numbers, or numbers as text.
        reports: folders of charts and tables, relative to the working folder.
        trials: rows of a study's trials.csv, as text.
        members: models that an ensemble's combination uses, in order.
    """

    id: ModelId
    inputs: str
    record: Mapping[str, Any]
    validation: Mapping[str, Any]
    test: Mapping[str, Any]
    history: History
    reports: Sequence[Path]
    trials: Sequence[Mapping[str, str]] = ()
    members: Sequence[TrackedModel] = ()

    @property
    def folder(self) -> Path:
        """Folder of `record.json` and, except for an ensemble, `model.weights.h5`."""
        return self.id.model_folder


class Run(Protocol):
    """A run of a training in progress."""

    def log(self, history: History) -> None:
        """Log the epochs of `history`, which has all so far, that are not logged yet."""

    def finish(self, record: Mapping[str, Any], seconds: float) -> None:
        """End the run, set the record's key, and log the duration of the epochs."""


class _Silent:
    def log(self, history: History) -> None:
        pass

    def finish(self, record: Mapping[str, Any], seconds: float) -> None:
        pass


def rows(table: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file; none if there is no such file."""
    if not table.is_file():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def digest(folders: Iterable[Path]) -> str:
    """Return the sha256 of all files in the folders, but of weights, whose hashes records hold."""
    files = sorted(file for folder in folders for file in folder.rglob("*") if file.is_file())
    return key(
        [
            [file.as_posix(), hashlib.sha256(file.read_bytes()).hexdigest()]
            for file in files
            if file.suffix != ".h5"
        ]
    )


def key(content: Any) -> str:
    """Return the sha256 of `content` as canonical JSON, 64 hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def pipeline_key(models: Sequence[TrackedModel], evaluation: Mapping[str, Any]) -> str:
    """Return the key of a pipeline's state: its models and their scores on test."""
    return key([sorted(key(model.record) for model in models), evaluation])


@contextmanager
def live(
    model: ModelId,
    inputs_key: str,
    params: Mapping[str, Any],
    root: Path,
    lasted: float | None = None,
) -> Iterator[Run]:
    """Log a training in MLflow while it runs, as a new run or the one that was interrupted.

    If a finished run has these inputs, nothing is logged. An exception in the block ends the run as
    failed; the next training with the same inputs resumes it. If the server does not answer, one
    line is printed to stderr and the training continues; `track` logs what is missing.

    Args:
        model: the model that is trained.
        inputs_key: key of everything the training depends on.
        params: sections of params.yaml, with `model.arch`.
        root: folder of the project, with the default store.
        lasted: duration of a training that has just ended, in seconds; None: it begins now.

    Raises:
        TrackingError: MIEN_TRACKING is neither `on` nor `off`.
    """
    if not _enabled():
        yield _Silent()
        return
    from mien.tracking.live_run import LiveRun

    run = LiveRun(model, inputs_key, params, root, lasted)
    run.log([])
    try:
        yield run
    except BaseException as error:
        run.abandon("FAILED" if isinstance(error, Exception) else "KILLED")
        raise


def track(
    models: Sequence[TrackedModel],
    evaluation: Mapping[str, Any],
    root: Path,
    exported: Path | None = None,
    *,
    card: str = "",
    report: str = "",
) -> list[str]:
    """Log the state of the pipeline to MLflow; existing runs are not changed.

    Args:
        models: every model of this state, an ensemble after its members.
        evaluation: content of metrics/evaluate.json; `champion` is the `name` of a model.
        root: folder of the project, with the default store.
        exported: folder of the champion's `model.onnx` and `card.json`; None if ONNX cannot
            represent it.
        card: the champion's model card, Markdown; also the notes of its registered version.
        report: the state as an HTML page. Both are artefacts of the pipeline's run.

    Returns:
        The sorted keys of the state's runs, the same whether MLflow is on or off.

    Raises:
        TrackingError: MLflow does not answer or reports an error, or MIEN_TRACKING is neither
            `on` nor `off`.
    """
    if _enabled():
        from mien.tracking import store
        from mien.tracking.state import log_state

        with store.one_line_errors(root):
            pages = {"model_card.md": card, "report.html": report}
            said = log_state(store.connect(root), models, evaluation, exported, pages, alias())
    else:
        said = (
            "nothing logged, as MIEN_TRACKING=off; the next `dvc repro` without it logs this state"
        )
    print(f"MLflow: {said}", file=sys.stderr)
    return sorted([*(key(model.record) for model in models), pipeline_key(models, evaluation)])


def alias() -> str:
    """Return the alias for the best model of this state.

    An experiment's is `challenger`: only the workspace itself, by `dvc repro`, moves `champion`.
    """
    return "challenger" if os.environ.get("DVC_EXP_NAME") else "champion"


def is_logged(keys: Sequence[str], root: Path) -> bool:
    """Tell whether the store holds the runs with these keys, and the alias; MLflow is not imported.

    Of a server it is not known without asking, and so False.

    Args:
        keys: what `track` returned for this state.
        root: folder of the project, where the default store lies.
    """
    from mien.tracking import local_store

    return _enabled() and local_store.is_default() and local_store.holds(root, keys, alias())


def promote(root: Path) -> str:
    """Move `champion` to the model with the alias `challenger`; return in one line what changed.

    Raises:
        TrackingError: there is no challenger, or MLflow does not answer.
    """
    from mien.tracking import store
    from mien.tracking.champion import promote_challenger

    with store.one_line_errors(root):
        return promote_challenger(store.connect(root))


def training_seconds(records: Sequence[Mapping[str, Any]], root: Path) -> list[float | None]:
    """Return the duration of the epochs of the models with these records, None without a run.

    Args:
        records: content of each model's `record.json`.
        root: folder of the project, with the default store.

    Raises:
        TrackingError: MLflow does not answer.
    """
    from mien.tracking import local_store

    # To look is no reason to create a store.
    if not _enabled() or (local_store.is_default() and not (root / local_store.DATABASE).exists()):
        return [None] * len(records)
    from mien.tracking import runs, store

    with store.one_line_errors(root):
        connected = store.connect(root)
        found = [runs.find(connected, "mien.key", key(record), "FINISHED") for record in records]
    return [None if run is None else run.data.metrics.get(runs.SECONDS) for run in found]


def examined(root: Path, repair: bool = False) -> str:
    """Return in one line what the store holds; runs of dead processes are closed as killed.

    Args:
        root: folder of the project, where the default store lies.
        repair: whether paths of a project that was moved or copied are set right.

    Raises:
        TrackingError: MLflow does not answer, or MIEN_TRACKING is neither `on` nor `off`.
    """
    if not _enabled():
        return "off"
    from mien.tracking import local_store, runs, store

    if local_store.is_default():
        if not (root / local_store.DATABASE).exists():
            return "no runs yet"
        if old := local_store.moved_from(root):
            if not repair:
                raise TrackingError(
                    f"the store speaks of {old}, from where this project was moved or copied; run "
                    "`mien doctor --repair` or `dvc repro`"
                )
            local_store.follow(root)
        if local_store.lacks_artifacts(root):
            raise TrackingError(
                f"{local_store.ARTIFACTS}/ is gone, and with it all models in MLflow; delete "
                f"{local_store.DATABASE}, then `dvc repro` fills a new store"
            )
    with store.one_line_errors(root):
        connected = store.connect(root)
        closed = runs.close_dead(connected)
        running = connected.client.search_runs(
            [connected.experiment], "attributes.status = 'RUNNING'"
        )
        return f"answers; {len(running)} runs are running, {closed} of dead processes were closed"


def _enabled() -> bool:
    value = os.environ.get("MIEN_TRACKING", "on")
    if value not in ("on", "off"):
        raise TrackingError(f"MIEN_TRACKING must be on or off, got {value!r}")
    return value == "on"
