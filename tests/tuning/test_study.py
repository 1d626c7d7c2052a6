"""Many processes work on one study in a real PostgreSQL; none is needed, none is missed."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import cheap
import postgres
import pytest

from mien.errors import TuningError
from mien.models.weights import Pretrained
from mien.tuning import search, study
from mien.tuning.study import Shared

HERE = Path(__file__).parent
TRIALS = 8

WORKER = """
import json, sys, time
from pathlib import Path
import cheap
from mien.tuning import search, strategies, study

study.HEARTBEAT_S, study.GRACE_S, search.PAUSE_S = 1, 2, 0.2
folder, storage, fatal = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "fatal"

# Long enough for the others to count the trials before this one has begun its own.
fast = strategies.sampler
strategies.sampler = lambda *given: time.sleep(0.2) or fast(*given)

def evaluate(number, values, checkpoints, watch):
    with (folder / "begun").open("a") as file:
        file.write(json.dumps([number, values]) + "\\n")
    for epoch in range(1, 10):
        time.sleep(0.03)
        watch(cheap.history(values, epoch))
        if fatal and number > 1:
            cheap.die()

folder.mkdir()
tune = cheap.settings(trials=int(sys.argv[4]), pruner="median", storage=storage)
(folder / "table.csv").write_text(cheap.run(folder, tune, evaluate, "shared"))
"""


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres.server() as url:
        yield url


def process(folder: Path, database: str, kind: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), database, kind, str(TRIALS)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])},
    )


@pytest.fixture
def short(monkeypatch):
    """Make signs of life, and their lack, a matter of seconds."""
    monkeypatch.setattr(study, "HEARTBEAT_S", 1)
    monkeypatch.setattr(study, "GRACE_S", 2)
    monkeypatch.setattr(search, "PAUSE_S", 0.2)


def test_three_processes_share_a_study_and_one_is_killed_in_a_trial(database, tmp_path):
    kinds = {"a": "fatal", "b": "healthy", "c": "healthy"}
    workers = {name: process(tmp_path / name, database, kind) for name, kind in kinds.items()}
    codes = {name: worker.wait(120) for name, worker in workers.items()}
    assert codes == {"a": -9, "b": 0, "c": 0}

    begun = {
        name: [json.loads(line) for line in (tmp_path / name / "begun").read_text().splitlines()]
        for name in kinds
    }
    number, values = begun["a"][-1]
    healthy = begun["b"] + begun["c"]
    assert [number, values] in healthy, "the trial that was killed is done with the same params"
    everything = sorted(each for each, _ in begun["a"][:-1] + healthy)
    assert everything == list(range(TRIALS)), "no trial is lost and none is done twice"

    table = (tmp_path / "b" / "table.csv").read_text()
    assert table == (tmp_path / "c" / "table.csv").read_text()
    rows = [line.split(",") for line in table.splitlines()[1:]]
    assert [int(row[0]) for row in rows] == list(range(1, TRIALS + 1))
    assert {row[1] for row in rows} <= {"complete", "pruned"}
    assert rows[0][5:] == ["0.002", "2", "adamw"]


def test_a_study_goes_on_while_its_database_is_killed_and_restarted(tmp_path):
    with postgres.server() as url:
        workers = {name: process(tmp_path / name, url, "healthy") for name in "ab"}
        restarts = 0
        while not all((tmp_path / name / "begun").exists() for name in workers):
            assert all(worker.poll() is None for worker in workers.values())
            time.sleep(0.1)
        while any(worker.poll() is None for worker in workers.values()):
            # Time for what was cut off to begin again.
            time.sleep(2)
            postgres.restart(url)
            restarts += 1
        assert {name: worker.wait() for name, worker in workers.items()} == {"a": 0, "b": 0}
    assert restarts
    table = (tmp_path / "a" / "table.csv").read_text()
    assert table == (tmp_path / "b" / "table.csv").read_text()
    rows = [line.split(",") for line in table.splitlines()[1:]]
    assert [int(row[0]) for row in rows] == list(range(1, TRIALS + 1))
    assert {row[1] for row in rows} <= {"complete", "pruned"}
    begun = [
        json.loads(line)
        for name in workers
        for line in (tmp_path / name / "begun").read_text().splitlines()
    ]
    params = {(number, json.dumps(values)) for number, values in begun}
    assert len(params) == TRIALS, "a trial that was cut off has the same params again"


def test_a_trial_that_was_taken_over_counts_once(database, tmp_path, monkeypatch, short, capsys):
    tune = cheap.settings(trials=1, storage=database)
    tables = []

    def asleep(number, values, checkpoints, watch):
        time.sleep(3)
        tables.append(cheap.run(tmp_path / "other", tune, key="taken"))
        cheap.evaluate(number, values, checkpoints, watch)

    with monkeypatch.context() as patch:
        # As if the machine slept.
        patch.setattr(Shared, "working", lambda *_: nullcontext())
        table = cheap.run(tmp_path, tune, asleep, "taken")
    assert tables == [table]
    assert table.count("complete") == 1
    assert "trial 1: another process took it over" in capsys.readouterr().err


def test_an_interrupted_trial_waits_for_the_next_process(database, tmp_path, short):
    tune = cheap.settings(trials=2, storage=database)

    def interrupted(number, values, checkpoints, watch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cheap.run(tmp_path, tune, interrupted, "interrupted")
    started = time.monotonic()
    table = cheap.run(tmp_path, tune, key="interrupted")
    assert time.monotonic() - started < study.GRACE_S
    assert table.count("complete") + table.count("pruned") == 2


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://me:secret@127.0.0.1:9/x", r"postgresql\+psycopg://\*\*\*@127.*: conn"),
        ("postgresql://me:secret@127.0.0.1:port/x", r"must be postgresql://\*\*\*@HOST"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line_without_the_password(url, said, tmp_path):
    pytest.importorskip("psycopg")
    with pytest.raises(TuningError, match=said) as caught:
        cheap.run(tmp_path, cheap.settings(storage=url))
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_driver_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TuningError, match=r"needs psycopg; run `pip install '\.\[postgres\]'`"):
        cheap.run(tmp_path, cheap.settings(storage="postgresql://127.0.0.1/x"))


INPUTS = {
    "cmd": "python stages/tune.py compact",
    "data/training": "12ab",
    "src/mien/training": "34cd",
    "params.yaml": {"tune.trials": 6, "tune.minutes": None, "tune.epochs": 4, "seed": 17},
}


def with_param(name: str, value: object) -> dict[str, object]:
    return INPUTS | {"params.yaml": INPUTS["params.yaml"] | {name: value}}


def test_more_trials_or_minutes_are_the_same_study_and_anything_else_is_another():
    key = study.key(INPUTS, None)
    assert study.key(with_param("tune.trials", 60), None) == key
    assert study.key(with_param("tune.minutes", 5), None) == key
    others = [
        study.key(INPUTS | {name: "changed"}, None) for name in INPUTS if name != "params.yaml"
    ]
    others += [study.key(with_param(name, 5), None) for name in ("tune.epochs", "seed")]
    others += [study.key(INPUTS, Pretrained(sha256, {})) for sha256 in ("1f", "2f")]
    assert len({key, *others}) == 1 + len(others)
    assert re.fullmatch("[0-9a-f]{16}", key)


def test_trials_fall_into_the_same_brackets_whatever_the_key(tmp_path):
    """Hyperband deals them by the study's name, and a key changes with the code."""
    tune = cheap.settings(pruner="hyperband")
    one, other = (cheap.run(tmp_path / key, tune, key=key) for key in ("one", "other"))
    assert one == other
    assert "pruned" in one
