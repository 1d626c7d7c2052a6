"""The MLflow store: its address, and its only experiment."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.db import utils as db_utils
from sqlalchemy.exc import SQLAlchemyError

from mien.errors import TrackingError, masked
from mien.tracking import local_store

EXPERIMENT = "mien"
ABOUT = """A run per trained model; `validation/macro_f1` decides which one is the champion.

``tags.`mien.stage` = 'train'`` finds the runs of a stage: `train`, `tune@ARCH`, `distill@ARCH`,
`ensemble`, `trial` (of a study, under the run of the tuned model), `pipeline` (a state with a table
of its models). Metrics: `validation/` and `test/` are scores at the end, `epoch/` the curves,
`cost/` size and time."""
NOTE = "mlflow.note.content"


@dataclass(frozen=True)
class Store:
    """A connected store: the client and the id of the experiment."""

    client: MlflowClient
    experiment: str


def address(root: Path) -> str:
    """Return MLFLOW_TRACKING_URI, else the address of the database in `root`."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root.resolve()}/mlflow.db"


def connect(root: Path) -> Store:
    """Return the store; database and experiment are created if they are missing.

    A server decides itself where it stores artefacts. With a database they are in
    `root/mlartifacts`, because MLflow would otherwise use the working folder, which is temporary
    under `dvc exp run --temp`.
    """
    local_store.follow(root)
    uri = address(root)
    if file := re.match(r"sqlite:///([^?]+)", uri):
        _create(Path(file[1]))
    # Otherwise a database that does not answer would delay a training for 102 seconds, not 3.
    db_utils.MAX_RETRY_COUNT = 5
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is not None:
        if NOTE not in experiment.tags:
            client.set_experiment_tag(experiment.experiment_id, NOTE, ABOUT)
        return Store(client, experiment.experiment_id)
    served = re.match(r"https?:|databricks", uri)
    place = None if served else (root.resolve() / "mlartifacts").as_uri()
    try:
        identifier = client.create_experiment(EXPERIMENT, place, {NOTE: ABOUT})
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        # Another process was faster.
        return connect(root)
    print(f"MLflow: new experiment `{EXPERIMENT}` in {masked(uri)}", file=sys.stderr)
    return Store(client, identifier)


def _create(database: Path) -> None:
    """Create the database if it is missing; it appears only when it is complete.

    MLflow takes seconds to create its tables, and cannot use a database with only some of them.
    """
    if database.exists():
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with (
        FileLock(f"{database}.lock"),
        tempfile.TemporaryDirectory(prefix=f"{database.name}.", dir=database.parent) as folder,
    ):
        if not database.exists():
            new = Path(folder, "new")
            MlflowClient(f"sqlite:///{new}").search_experiments()
            os.replace(new, database)


@contextmanager
def one_line_errors(root: Path) -> Iterator[None]:
    """Turn exceptions of MLflow, its database or its artefact store into a TrackingError."""
    try:
        yield
    except TrackingError:
        raise
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise TrackingError(
            f"MLflow at {masked(address(root))} failed: {reason(error)}. The models and metrics "
            "are safe: fix the store or set MIEN_TRACKING=off, then run dvc repro again"
        ) from error


def reason(error: Exception) -> str:
    """Return the error's text as one short line without passwords."""
    text = masked(" ".join(str(error).split())) or type(error).__name__
    # The HTTP client's message ends with the cause.
    text = text.rpartition("Caused by ")[2].strip('(). "')
    return text if len(text) <= 200 else f"{text[:200]}…"
