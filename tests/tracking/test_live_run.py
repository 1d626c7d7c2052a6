"""A training shown in MLflow while it runs: watched, killed, resumed, cut off from its server."""

import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import postgres
import psutil
import pytest
from made_state import (
    EPOCHS,
    HISTORY,
    PARAMS,
    client,
    curve,
    empty_database,
    evaluation,
    made,
    project,
    runs,
    training,
)

from mien import tracking
from mien.errors import TrackingError
from mien.tracking import live_run

# Nothing listens on the discard port.
CLOSED = "http://127.0.0.1:9"


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    return project(tmp_path, monkeypatch)


def live(model: tracking.TrackedModel, root: Path):
    return tracking.live(model.id, model.inputs, PARAMS, root)


# Children of a process that has imported MLflow already: they begin at once.
SERVED = multiprocessing.get_context("forkserver")
SERVED.set_forkserver_preload(["mien.tracking.live_run"])


@contextmanager
def another_process(
    root: Path, model: tracking.TrackedModel, address: str | None = None, context=SERVED
) -> Iterator[tuple[BaseProcess, Connection]]:
    """Have another process begin to train `model` and log its first epoch; kill it at the end.

    Told anything through the pipe, it trains on, ends, and tells what it printed.
    """
    here, there = context.Pipe()
    process = context.Process(target=training, args=(root, model, there, address))
    process.start()
    try:
        assert here.recv() == "logged"
        yield process, here
    finally:
        process.kill()
        process.join()


def test_a_training_watched_and_then_tracked_is_one_run(root):
    model = made()
    with live(model, root) as run:
        run.log(HISTORY[:1])
        (watched_run,) = runs(root, "train")
        assert (watched_run.info.status, curve(root, watched_run)) == ("RUNNING", {1: [1.0]})
        run.log(HISTORY[:2])
        run.log(HISTORY)
        run.finish(model.record, 1.5)
    (before,) = runs(root, "train")
    assert before.info.status == "FINISHED"
    assert before.data.tags["mien.key"] == tracking.key(model.record)
    tracking.track([model], evaluation(model), root)
    (after,) = runs(root, "train")
    assert after.info.run_id == before.info.run_id
    assert after.info.end_time == before.info.end_time
    assert curve(root, after) == EPOCHS
    assert after.data.metrics["test/macro_f1"] == model.test["macro_f1"]
    records = [model.record, model.record | {"name": "another"}]
    assert tracking.training_seconds(records, root) == [1.5, None]


def test_a_run_takes_as_long_as_its_training_and_shows_what_it_used(root):
    model, watching = made(), threading.active_count()
    with live(model, root) as run:
        run.log(HISTORY[:1])
        assert threading.active_count() == watching + 1
        time.sleep(0.5)
        run.log(HISTORY)
        run.finish(model.record, 0.5)
    assert threading.active_count() == watching
    (shown,) = runs(root, "train")
    used = {name for name in shown.data.metrics if name.startswith("system/")}
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_percentage"} <= used
    assert curve(root, shown, "system/cpu_utilization_percentage").keys() == {0}
    assert "mien.process" not in shown.data.tags
    tracking.track([model], evaluation(model), root)
    (tracked,) = runs(root, "train")
    assert (tracked.info.start_time, tracked.info.end_time) == (
        shown.info.start_time,
        shown.info.end_time,
    )
    assert tracked.info.end_time - tracked.info.start_time >= 500


def test_a_run_of_a_training_that_has_ended_begins_with_it(root):
    model = made("tune_small")
    with tracking.live(model.id, model.inputs, PARAMS, root, lasted=90.0) as run:
        run.log(HISTORY)
        run.finish(model.record, 90.0)
    (shown,) = runs(root, "tune@small")
    assert shown.info.end_time - shown.info.start_time >= 90_000
    assert not [name for name in shown.data.metrics if name.startswith("system/")]


def test_a_killed_training_resumes_its_run_without_repeating_epochs(root):
    model = made()
    # A child of this very process.
    spawned = multiprocessing.get_context("spawn")
    with another_process(root, model, context=spawned) as (process, _):
        process.kill()
        # Dead, but its parent has not asked yet: the pid is still taken.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        (killed,) = runs(root, "train")
        assert killed.info.status == "RUNNING"
        with live(model, root) as run:
            run.log(HISTORY)
            run.finish(model.record, 1.5)
    (resumed,) = runs(root, "train")
    assert resumed.info.run_id == killed.info.run_id
    assert resumed.info.status == "FINISHED"
    assert curve(root, resumed) == EPOCHS


def test_a_run_whose_process_is_dead_is_closed_by_the_next_track(root):
    other = made(weights=b"other")
    with another_process(root, other):
        pass
    model = made()
    tracking.track([model], evaluation(model), root)
    assert [run.info.status for run in runs(root, "train")] == ["KILLED", "FINISHED"]


def test_the_doctor_closes_what_a_dead_process_left_running(root):
    with another_process(root, made(weights=b"other")):
        assert tracking.examined(root).startswith("answers; 1 runs are running, 0 of dead")
    assert tracking.examined(root).startswith("answers; 0 runs are running, 1 of dead")
    assert [run.info.status for run in runs(root, "train")] == ["KILLED"]


def test_a_run_whose_process_lives_is_left_alone(root):
    model = made()
    with another_process(root, model):
        with live(model, root) as run:
            run.log(HISTORY)
            run.finish(model.record, 1.5)
        tracking.track([model], evaluation(model), root)
        alive, own = runs(root, "train")
        assert (alive.info.status, own.info.status) == ("RUNNING", "FINISHED")
        assert curve(root, alive) == {1: [1.0]}


def test_twins_that_end_alike_leave_one_run(root):
    model = made()
    with ExitStack() as stack:
        # Neither is dead, so neither resumes the other.
        first, second = (stack.enter_context(live(model, root)) for _ in range(2))
        assert len(runs(root, "train")) == 2
        for run in (second, first):
            run.log(HISTORY)
            run.finish(model.record, 1.5)
    (left,) = runs(root, "train")
    assert left.info.status == "FINISHED"


def test_epochs_whose_answer_was_lost_are_not_shown_twice(root, monkeypatch):
    log, model = live_run.runs.log_epochs, made()

    def lose_the_answer(*given) -> None:
        log(*given)
        raise ConnectionError

    with live(model, root) as run:
        run.log(HISTORY[:1])
        with monkeypatch.context() as patch:
            patch.setattr(live_run, "PAUSE_S", 0)
            patch.setattr(live_run.runs, "log_epochs", lose_the_answer)
            run.log(HISTORY[:2])
        run.log(HISTORY)
        run.finish(model.record, 1.5)
    (finished,) = runs(root, "train")
    assert curve(root, finished) == EPOCHS


def test_a_failed_training_is_marked_and_resumed(root):
    model = made()

    def fail() -> None:
        with live(model, root) as run:
            run.log(HISTORY[:1])
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    (failed,) = runs(root, "train")
    assert failed.info.status == "FAILED"
    with live(model, root) as run:
        assert [run.info.status for run in runs(root, "train")] == ["RUNNING"]
        run.log(HISTORY)
        run.finish(model.record, 1.5)
    (resumed,) = runs(root, "train")
    assert (resumed.info.run_id, resumed.info.status) == (failed.info.run_id, "FINISHED")


def test_a_training_done_again_is_not_logged_again(root, capsys):
    model = made()
    for _ in range(2):
        capsys.readouterr()
        with live(model, root) as run:
            run.log(HISTORY)
            run.finish(model.record, 1.5)
    (run,) = runs(root, "train")
    assert capsys.readouterr().err.count(run.info.run_id) == 1
    assert curve(root, run) == EPOCHS


def test_an_unreachable_server_costs_a_training_one_line(root, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", CLOSED)
    model = made()
    with live(model, root) as run:
        for epochs in (1, 2, 3):
            run.log(HISTORY[:epochs])
        run.finish(model.record, 1.5)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "training goes on" in said


def test_an_unreachable_server_ends_track_in_one_line(root, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")
    model = made()
    with pytest.raises(TrackingError, match=r"127\.0\.0\.1:9.*refused.*safe") as caught:
        tracking.track([model], evaluation(model), root)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _answers(port: int) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health"):
        return True
    return False


@contextmanager
def server(root: Path, port: int, store: str | None = None) -> Iterator[psutil.Process]:
    """Serve a database, the project's by default, and a folder of artefacts; yield the server."""
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", "1", "--backend-store-uri", store or f"sqlite:///{root}/served.db"),
        *("--artifacts-destination", str(root / "served")),
    ]
    process = psutil.Popen(
        command,
        env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    try:
        while not _answers(port):
            assert time.monotonic() < deadline
            time.sleep(0.25)
        yield process
    finally:
        parts = [*process.children(recursive=True), process]
        for part in parts:
            part.terminate()
        psutil.wait_procs(parts, timeout=20)


def test_a_server_that_hangs_and_one_that_is_lost_in_mid_training_show_the_whole_run_later(
    root, monkeypatch, capsys
):
    monkeypatch.setattr(live_run, "PAUSE_S", 0)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    (root / "served.db").write_bytes(empty_database())
    hung, lost = made(), made("tune_lost", b"lost")
    with ExitStack() as serving:
        process = serving.enter_context(server(root, port))
        with live(hung, root) as run:
            run.log(HISTORY[:1])
            parts = [process, *process.children(recursive=True)]
            for part in parts:
                part.suspend()
            with monkeypatch.context() as patch:
                patch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
                run.log(HISTORY[:2])
            assert capsys.readouterr().err.count("training goes on") == 1
            for part in parts:
                part.resume()
            run.log(HISTORY)
            run.finish(hung.record, 1.5)
        (finished,) = runs(root, "train")
        assert finished.info.status == "FINISHED"
        assert finished.data.metrics["cost/training_seconds"] == 1.5
        assert curve(root, finished) == EPOCHS
        with another_process(root, lost, address) as (_, pipe):
            serving.close()
            pipe.send("go on")
            assert pipe.recv().count("training goes on") == 1
    with server(root, port):
        tracking.track([lost], evaluation(lost, champion="tune_lost"), root)
        (found,) = runs(root, "tune@lost")
        assert found.info.status == "FINISHED"
        assert curve(root, found) == EPOCHS
        version = client(root).get_model_version_by_alias("mien", "champion")
        assert version.tags["mien.key"] == tracking.key(lost.record)
    assert list((root / "served").rglob("model.weights.h5"))
    assert not (root / "mlartifacts").exists()


def test_a_server_with_postgresql_shows_what_the_local_store_does(root, monkeypatch):
    model = made()
    tracking.track([model], evaluation(model), root)
    (local,) = runs(root, "train")
    port = free_port()
    with postgres.server() as url:
        store = url.replace("postgresql:", "postgresql+psycopg:")
        with server(root, port, store):
            monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
            with live(model, root) as run:
                run.log(HISTORY)
                run.finish(model.record, 1.5)
            tracking.track([model], evaluation(model), root)
            (remote,) = runs(root, "train")
            assert curve(root, remote) == EPOCHS
            assert remote.data.params == local.data.params
            metrics = {
                name: value
                for name, value in remote.data.metrics.items()
                if not name.startswith("system/")
            }
            assert metrics == local.data.metrics | {"cost/training_seconds": 1.5}
            version = client(root).get_model_version_by_alias("mien", "champion")
            assert version.tags["mien.key"] == tracking.key(model.record)
    assert list((root / "served").rglob("model.weights.h5"))
