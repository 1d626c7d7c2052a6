"""The MLflow run of a training in progress; errors here do not stop the training."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlflow.entities import Run
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from mien import tracking
from mien.project import ModelId
from mien.tracking import runs, store

# Pause after a failure. A timeout costs 20 s per attempt: at most a tenth of the training's time.
PAUSE_S = 200


class LiveRun:
    """A run to which epochs are logged as they end; see `mien.tracking.live`."""

    def __init__(
        self,
        model: ModelId,
        inputs: str,
        params: Mapping[str, Any],
        root: Path,
        lasted: float | None,
    ) -> None:
        """Store the properties of the run; the first `log` starts it."""
        self._model, self._inputs = model, inputs
        self._lasted = lasted
        self._monitor: SystemMetricsMonitor | None = None
        self._params, self._root = params, root
        self._run: Run | None = None
        self._epochs: set[int] = set()
        self._begun = self._warned = False
        self._quiet_until = 0.0

    def log(self, history: tracking.History) -> None:
        """Log the epochs that are not logged yet."""
        if time.monotonic() < self._quiet_until:
            return
        with self._forgiven():
            if not self._begun:
                self._begin()
            new = [row for row in history if int(row["epoch"]) not in self._epochs]
            if self._run is not None and new:
                runs.log_epochs(self._store, self._run, new)
                self._epochs |= {int(row["epoch"]) for row in new}

    def finish(self, record: Mapping[str, Any], seconds: float) -> None:
        """End the run, set the record's key, and log the duration of the training."""
        with self._forgiven():
            self._stop_monitor()
            if self._run is not None:
                runs.log_scores(self._store, self._run, {runs.SECONDS: round(seconds, 1)})
                runs.finish(self._store, self._run, tracking.key(record))

    def abandon(self, status: str) -> None:
        """End the run as `FAILED` or `KILLED`; the next one with the same inputs resumes it."""
        if time.monotonic() < self._quiet_until:
            return
        with self._forgiven():
            self._stop_monitor()
            if self._run is not None:
                self._store.client.set_terminated(self._run.info.run_id, status)

    def _begin(self) -> None:
        self._store = store.connect(self._root)
        runs.close_dead(self._store)
        finished = runs.find(self._store, "mien.inputs", self._inputs, "FINISHED")
        if self._run is None and finished is not None:
            _say(f"this training is there already, as run {finished.info.run_id}; not logged again")
        else:
            # A second attempt continues the run of the first one.
            arch = self._params["model"]["arch"]
            self._run = self._run or runs.begin(
                self._store,
                self._model.run_name(runs.kind(self._params)),
                stage=self._model.dvc_stage,
                arch=arch,
                inputs=self._inputs,
                start=None if self._lasted is None else time.time() - self._lasted,
            )
            runs.log_params(self._store, self._run, self._params)
            self._epochs = runs.logged_epochs(self._store, self._run)
            if self._lasted is None:
                self._start_monitor(self._run)
        self._begun = True

    def _start_monitor(self, run: Run) -> None:
        """Log use of processor, memory, disk, network and GPUs every ten seconds, in a thread."""
        if self._monitor is None:
            # What it cannot log, `log` cannot either, which says so.
            logging.getLogger("mlflow.system_metrics").setLevel(logging.ERROR)
            self._monitor = SystemMetricsMonitor(
                run.info.run_id, resume_logging=True, tracking_uri=store.address(self._root)
            )
            self._monitor.start()

    def _stop_monitor(self) -> None:
        """End the thread, and log the time since its last sample: a short training has no other."""
        monitor, self._monitor = self._monitor, None
        if monitor is not None:
            monitor.finish()
            for part in monitor.monitors:
                part.clear_metrics()
            monitor.collect_metrics()
            monitor.publish_metrics(monitor.aggregate_metrics())
            monitor.mlflow_logger.flush()

    @contextmanager
    def _forgiven(self) -> Iterator[None]:
        try:
            yield
        # Any error here matters less than hours of training.
        except Exception as error:
            self._quiet_until = time.monotonic() + PAUSE_S
            # Before more is logged, the logged epochs are read again.
            self._begun = False
            if not self._warned:
                _say(f"{store.reason(error)}; training goes on, `track` logs what is missing")
            self._warned = True


def _say(text: str) -> None:
    print(f"MLflow: {text}", file=sys.stderr)
