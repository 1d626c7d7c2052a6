"""A persistent study: in a file for one process, in PostgreSQL for many."""

import hashlib
import importlib.util
import json
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings

import optuna
import sqlalchemy
from filelock import FileLock, Timeout
from optuna.exceptions import StorageInternalError
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages._heartbeat import get_heartbeat_thread
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import Trial, TrialState
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

from mien.errors import INSTALL, TuningError
from mien.params import Tune
from mien.tuning.space import Space

if TYPE_CHECKING:
    from mien.models.weights import Pretrained

# Interval of heartbeats of a running trial, and the time without one after which it counts as dead.
HEARTBEAT_S = 30
GRACE_S = 120
# Params that only set when a study ends: if they are raised, the same study continues.
BUDGET = ("tune.trials", "tune.minutes")
# Id of the advisory lock: any number that no other program uses in the same database.
LOCK = int.from_bytes(b"mien")
CONNECT_S = 10
# Time that a database has to restart; after that the process ends.
PATIENCE_S = 60


class Opened(ABC):
    """A study that this process works on.

    Attributes:
        study: Optuna's study; trials are started and ended through the methods here.
        lost: exceptions that mean a lost connection to the storage.
    """

    study: optuna.Study
    lost: tuple[type[Exception], ...] = ()

    @abstractmethod
    @contextmanager
    def turn(self) -> Iterator[None]:
        """Requeue the trials of dead processes, and let no other process start a trial."""

    @abstractmethod
    def ask(self, space: Space) -> Trial:
        """Return the first waiting trial, now running, with all its params."""

    @abstractmethod
    @contextmanager
    def working(self, trial: Trial) -> Iterator[None]:
        """Signal that the trial is being worked on."""

    @abstractmethod
    def finished(self) -> None:
        """Make the current state of the study permanent."""

    @abstractmethod
    def left(self, trial: Trial) -> None:
        """Release a running trial for the next process."""


class Journal(Opened):
    """A study in a file, on which one process works at a time.

    When it is opened again, it has the state after its last finished trial. A trial interrupted by
    a kill is repeated with the same number, and so with the same params.
    """

    def __init__(self, folder: Path, name: str, direction: StudyDirection) -> None:
        """Open the study in `folder`, which only this process uses."""
        self._file, self._length = folder / "journal.log", folder / "journal.length"
        # The process that wrote this lock is dead, otherwise it would still have the folder locked.
        Path(f"{self._file}.lock").unlink(missing_ok=True)
        kept = int(self._length.read_text()) if self._length.exists() else 0
        if self._file.exists():
            os.truncate(self._file, min(kept, self._file.stat().st_size))
        storage = JournalStorage(JournalFileBackend(str(self._file.resolve())))
        self.study = optuna.create_study(
            storage=storage, study_name=name, direction=direction, load_if_exists=True
        )

    @contextmanager
    def turn(self) -> Iterator[None]:
        """No other process starts trials here."""
        yield

    def ask(self, space: Space) -> Trial:
        """Return the waiting trial, now running, with all its params."""
        return self.study.ask(dict(space.distributions))

    @contextmanager
    def working(self, trial: Trial) -> Iterator[None]:
        """No other process needs the signal."""
        yield

    def finished(self) -> None:
        """Record the length of the journal, to which the next process truncates it."""
        new = self._length.with_suffix(".new")
        new.write_text(str(self._file.stat().st_size))
        os.replace(new, self._length)

    def left(self, trial: Trial) -> None:
        """The next process repeats it in any case."""


class Shared(Opened):
    """A study in a database, on which any number of processes work at once.

    A trial whose process sends no more heartbeats is queued again, with its number and its params;
    the first result counts. After opening, the study waits for a database that restarts.
    """

    lost = (OperationalError, StorageInternalError)

    def __init__(self, url: sqlalchemy.URL, name: str, direction: StudyDirection) -> None:
        """Open the study `name`, or create it."""
        timeout = {"connect_timeout": CONNECT_S}
        self._engine = sqlalchemy.create_engine(
            url, connect_args=timeout, poolclass=sqlalchemy.NullPool
        )
        # Two processes that create the tables at once would conflict.
        with self._locked(), catch_warnings(action="ignore"):
            self._storage = _Storage(
                url.render_as_string(hide_password=False),
                # A connection may have died in the minutes between two epochs. The newest first:
                # a turn must get the one that was just renewed.
                {"connect_args": timeout, "pool_pre_ping": True, "pool_use_lifo": True},
                heartbeat_interval=HEARTBEAT_S,
                grace_period=GRACE_S,
            )
            self.study = optuna.create_study(
                storage=self._storage, study_name=name, direction=direction, load_if_exists=True
            )
        self._turning = False
        for engine in (self._engine, self._storage.engine):
            sqlalchemy.event.listen(engine, "do_connect", self._connect)

    def _connect(self, dialect: Any, record: Any, args: Any, params: Any) -> Any:
        """Return a new connection, waiting for a server that may be restarting.

        Not during a turn: the lock was lost with the connection that this one would replace.
        """
        lost = dialect.loaded_dbapi.OperationalError
        if self._turning:
            raise lost("the connection was lost")
        deadline = time.monotonic() + PATIENCE_S
        waited = False
        while True:
            try:
                return dialect.connect(*args, **params)
            except lost:
                if time.monotonic() > deadline:
                    raise
                if not waited:
                    print("tune.storage does not answer; waiting for it", file=sys.stderr)
                waited = True
                time.sleep(1)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold a lock that the server releases when this process ends in any way."""
        with self._engine.begin() as connection:
            connection.execute(sqlalchemy.select(sqlalchemy.func.pg_advisory_xact_lock(LOCK)))
            yield

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Requeue the trials of dead processes, and let no other process start a trial.

        Optuna's own method fails such a trial and adds a copy. A kill in between would lose the
        trial, and the study would count one trial twice.
        """
        # First, so that it renews a connection that died since.
        study = self._storage.get_study_id_from_name(self.study.study_name)
        with self._locked():
            self._turning = True
            try:
                for trial in self._storage._get_stale_trial_ids(study):
                    self._storage.set_trial_state_values(trial, TrialState.WAITING)
                yield
            finally:
                self._turning = False

    def ask(self, space: Space) -> Trial:
        """Return the first waiting trial, now running, with all its params."""
        # The first heartbeat comes before the start: without any, a trial never counts as dead.
        (first, *_) = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        self._storage.record_heartbeat(first._trial_id)
        # Optuna warns that only `Study.optimize` sends heartbeats; `working` does, too.
        with catch_warnings(action="ignore"):
            return self.study.ask(dict(space.distributions))

    @contextmanager
    def working(self, trial: Trial) -> Iterator[None]:
        """Send heartbeats for the trial."""
        with get_heartbeat_thread(trial._trial_id, self._storage):
            yield

    def finished(self) -> None:
        """The database stores everything at once."""

    def left(self, trial: Trial) -> None:
        """Queue the trial again."""
        self._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)


class _Storage(RDBStorage):
    def record_heartbeat(self, trial_id: int) -> None:
        """Send a heartbeat; a failure is ignored, because it would end the thread."""
        with suppress(*Shared.lost):
            super().record_heartbeat(trial_id)


def key(inputs: Mapping[str, Any], pretrained: "Pretrained | None") -> str:
    """Return 16 hexadecimal digits that identify all inputs of the trials of a study.

    Args:
        inputs: what DVC hashes for the stage, see `mien.project.stage_inputs`.
        pretrained: weights that the network starts from, if any.
    """
    values = {name: value for name, value in inputs["params.yaml"].items() if name not in BUDGET}
    text = json.dumps(
        [{**inputs, "params.yaml": values}, pretrained and pretrained.sha256], sort_keys=True
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def opened(arch: str, key: str, folder: Path, tune: Tune) -> Iterator[Opened]:
    """Open the study of `arch`; errors of its storage in the block become one line.

    Args:
        arch: the architecture. It names a study in a journal: Hyperband assigns trials to its
            brackets by that name, which should not change with the code.
        key: see `key`; in a database, processes that open a study with the same key share it.
        folder: folder for the files of this process, also for a shared study.
        tune: `storage`, the URL of a PostgreSQL database or None for a journal in `folder`, and
            `metric`, by which the trials are judged.

    Raises:
        TuningError: another process uses the folder, or the database cannot be used.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    loss = tune.metric == "log_loss"
    direction = StudyDirection.MINIMIZE if loss else StudyDirection.MAXIMIZE
    folder.mkdir(parents=True, exist_ok=True)
    if tune.storage or tune.minutes:
        print(
            "a study that is shared or has a budget in minutes does not repeat itself",
            file=sys.stderr,
        )
    if tune.storage is not None:
        with _one_line(tune.storage) as url:
            yield Shared(url, f"{arch}-{key}", direction)
        return
    try:
        lock = FileLock(folder / "lock").acquire(timeout=0)
    except Timeout as error:
        raise TuningError(
            f"another process works on the study in {folder}; wait for it, or let both share it "
            "through tune.storage"
        ) from error
    with lock:
        yield Journal(folder, arch, direction)


@contextmanager
def _one_line(storage: str) -> Iterator[sqlalchemy.URL]:
    """Yield the URL for psycopg 3; raise the database's errors without the password."""
    if importlib.util.find_spec("psycopg") is None:
        raise TuningError(f"tune.storage needs psycopg; {INSTALL.format('postgres')}")
    try:
        url = sqlalchemy.make_url(storage).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError) as error:
        raise TuningError(
            "tune.storage must be postgresql://USER:PASSWORD@HOST:PORT/DATABASE, got another form"
        ) from error
    try:
        yield url
    except (SQLAlchemyError, StorageInternalError) as error:
        raise TuningError(f"tune.storage: {url!r}: {_reason(error, url)}") from error


def _reason(error: BaseException, url: sqlalchemy.URL) -> str:
    """Return the first line of the driver's message, without the password."""
    cause: Any = error.__cause__ if isinstance(error, StorageInternalError) else error
    said = str(getattr(cause, "orig", None) or cause).strip().splitlines()[0]
    return said.replace(str(url.password), "***") if url.password else said
