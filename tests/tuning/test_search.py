"""A study repeats itself, killed or not; its trials end as the pruner and their errors say."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cheap
import pytest
from filelock import FileLock

from mien.errors import TrainingError, TuningError
from mien.tuning import search, trial_table
from mien.tuning.study import opened

HERE = Path(__file__).parent

# One process without threads, which forks the ones that are killed.
KILLED = """
import os, sys
from pathlib import Path
import cheap
from mien.tuning.study import Journal

os.fsync = lambda file: None

def killed(folder, tune):
    moments = [
        lambda: cheap.run(folder, tune, cheap.dying(after=3, epoch=4)),
        lambda: (setattr(Journal, "finished", lambda self: cheap.die()), cheap.run(folder, tune)),
        lambda: cheap.run(folder, tune, cheap.dying_when_pruned(after=5)),
    ]
    return [cheap.in_child(moment) for moment in moments]

for pair in sys.argv[2:]:
    sampler, pruner = pair.split("-")
    tune = cheap.settings(sampler=sampler, pruner=pruner)
    folder = Path(sys.argv[1], pair)
    kills = killed(folder, tune)
    assert kills == [True, True, pruner != "none"], kills
    (folder / "table.csv").write_text(cheap.run(folder, tune))
"""
PAIRS = "tpe-hyperband tpe-median tpe-none random-hyperband grid-median nsga2-none cmaes-hyperband"


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    """A killed process loses nothing that it wrote; only a power cut would."""
    monkeypatch.setattr("os.fsync", lambda file: None)


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> Path:
    """Return a folder with the tables of studies that were killed up to three times each."""
    folder = tmp_path_factory.mktemp("killed")
    subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), *PAIRS.split()],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])},
        check=True,
        timeout=300,
    )
    return folder


@pytest.mark.parametrize("pair", PAIRS.split())
def test_a_killed_study_ends_with_the_table_of_an_undisturbed_one(pair, killed, tmp_path):
    sampler, pruner = pair.split("-")
    table = cheap.run(tmp_path, cheap.settings(sampler=sampler, pruner=pruner))
    assert (killed / pair / "table.csv").read_text() == table
    assert table.count("\n") == 15
    assert ("pruned" in table) == (pruner != "none")


def test_the_first_trial_is_the_start_and_is_never_pruned(tmp_path):
    first = cheap.run(tmp_path, cheap.settings(trials=1)).splitlines()[1]
    assert first == "1,complete,0.833967,9,,0.002,2,adamw"


def test_other_seeds_search_elsewhere(tmp_path, monkeypatch):
    table = cheap.run(tmp_path / "one", cheap.settings(trials=4))
    monkeypatch.setattr(cheap, "SEED", 6)
    assert cheap.run(tmp_path / "other", cheap.settings(trials=4)) != table


def test_more_trials_continue_a_study_as_if_it_had_them_from_the_start(tmp_path):
    begun = []

    def evaluate(number, *given):
        begun.append(number)
        cheap.evaluate(number, *given)

    cheap.run(tmp_path / "grown", cheap.settings(trials=5))
    grown = cheap.run(tmp_path / "grown", cheap.settings(trials=12), evaluate)
    assert begun == list(range(5, 12))
    assert grown == cheap.run(tmp_path / "whole", cheap.settings(trials=12))


def test_what_a_killed_process_left_does_not_stop_the_next(tmp_path):
    tune = cheap.settings(trials=3)
    table = cheap.run(tmp_path, tune)
    journal = tmp_path / "journal.log"
    with journal.open("a") as file:
        file.write('{"op_code": 4, "stu')
    (tmp_path / "journal.log.lock").symlink_to(journal)
    assert cheap.run(tmp_path, tune) == table


def test_two_processes_do_not_work_on_one_journal(tmp_path):
    with (
        FileLock(tmp_path / "lock"),
        pytest.raises(TuningError, match=r"another process works on the study in .*tune.storage"),
    ):
        cheap.run(tmp_path, cheap.settings())


def test_a_failed_trial_keeps_its_reason_and_the_study_goes_on(tmp_path):
    def evaluate(number, values, checkpoints, watch):
        watch(cheap.history(values, 1))
        if number == 1:
            raise TrainingError("epoch 2: the loss is nan")
        cheap.evaluate(number, values, checkpoints, watch)

    lines = cheap.run(tmp_path, cheap.settings(trials=3, pruner="none"), evaluate).splitlines()
    assert lines[2].startswith("2,failed,,1,epoch 2: the loss is nan,")
    assert [line.split(",")[1] for line in lines[1:]] == ["complete", "failed", "complete"]


def test_a_metric_that_is_no_number_fails_the_trial(tmp_path):
    def evaluate(number, values, checkpoints, watch):
        watch([{"epoch": 1, "val_macro_f1": float("nan")}])

    lines = cheap.run(tmp_path, cheap.settings(trials=2), evaluate).splitlines()
    assert lines[1].startswith("1,failed,,0,epoch 1: val_macro_f1 is nan,")
    assert len(lines) == 3


def test_log_loss_is_minimised(tmp_path):
    def evaluate(number, values, checkpoints, watch):
        watch([{"epoch": 9, "val_log_loss": abs(number - 2)}])

    tune = cheap.settings(trials=5, metric="log_loss")
    cheap.run(tmp_path, tune, evaluate)
    with opened("cheap", "0", tmp_path, tune) as study:
        assert trial_table.summary(study.study) == {
            "trials": 5,
            "complete": 5,
            "pruned": 0,
            "failed": 0,
            "best_trial": 3,
            "best_value": 0.0,
        }


def test_a_trial_leaves_no_checkpoints(tmp_path):
    def evaluate(number, values, checkpoints, watch):
        checkpoints.mkdir()
        (checkpoints / "weights").touch()
        cheap.evaluate(number, values, checkpoints, watch)

    cheap.run(tmp_path, cheap.settings(trials=4), evaluate)
    names = {path.name for path in tmp_path.iterdir()}
    assert names - {"lock"} == {"journal.log", "journal.length"}


def test_no_trial_begins_after_the_minutes(tmp_path, monkeypatch):
    now = iter(range(0, 100, 25))
    monkeypatch.setattr(search, "time", SimpleNamespace(monotonic=lambda: next(now)))
    table = cheap.run(tmp_path, cheap.settings(trials=14, minutes=1))
    assert table.count("\n") == 3, "the header, and the trials that began after 25 s and 50 s"


def test_a_small_grid_is_searched_once(tmp_path):
    table = cheap.run(tmp_path, cheap.settings(trials=99, sampler="grid", pruner="none"))
    rows = [line.split(",", 5)[5] for line in table.splitlines()[1:]]
    # Three rates, three depths, three optimisers, and the start.
    assert len(rows) == 28
    assert len(set(rows)) == 28


def test_gaussian_processes_without_pytorch_are_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TuningError, match=r"gp needs PyTorch; run `pip install torch`"):
        cheap.run(tmp_path, cheap.settings(sampler="gp"))


def test_each_trial_is_a_line_with_what_it_changed(tmp_path, capsys):
    cheap.run(tmp_path, cheap.settings(trials=2, pruner="none"))
    first, second = capsys.readouterr().err.splitlines()
    assert first == (
        "trial 1/2: complete; macro_f1 0.8340 after epoch 9; best 0.8340 of trial 1; the start"
    )
    assert second.startswith("trial 2/2: complete; macro_f1 ")
    assert "train.learning_rate 0.000" in second
