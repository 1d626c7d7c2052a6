"""The trials of a study in MLflow: each once, as a child of the tuned model's run."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_state import TRIALS, client, curve, evaluation, made, project, runs, tuned
from mlflow import MlflowClient

from mien import tracking


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    return project(tmp_path, monkeypatch)


def track(model: tracking.TrackedModel, root: Path) -> None:
    tracking.track([model], evaluation(model, champion="tune_simple_cnn"), root)


def trials(root):
    return {run.info.run_name: run for run in runs(root, "trial")}


def test_each_trial_is_a_child_of_the_tuned_models_run(root):
    track(tuned(), root)
    (parent,) = runs(root, "tune@simple_cnn")
    found = trials(root)
    assert list(found) == ["trial 1", "trial 2", "trial 3", "trial 4"]
    assert {run.data.tags["mlflow.parentRunId"] for run in found.values()} == {parent.info.run_id}
    assert [run.data.params for run in found.values()] == [
        {"train.learning_rate": "0.002", "epochs": "3"},
        {"train.learning_rate": "0.01", "model.dropout": "0.25", "epochs": "3"},
        {"train.learning_rate": "0.0002", "model.dropout": "0.5", "epochs": "1"},
        {"train.learning_rate": "0.3", "model.dropout": "0.0", "epochs": "2"},
    ]
    assert [run.data.metrics for run in found.values()] == [
        *({"validation/macro_f1": value} for value in (0.5, 0.75, 0.25)),
        {},
    ]
    assert [(run.info.status, run.data.tags["mien.state"]) for run in found.values()] == [
        *[("FINISHED", "complete")] * 2,
        ("FINISHED", "pruned"),
        ("FAILED", "failed"),
    ]
    assert found["trial 4"].data.tags["mien.reason"] == "the loss is no number"
    assert "mien.reason" not in found["trial 1"].data.tags


def test_trials_stand_behind_all_other_runs_in_the_list(root):
    track(tuned(), root)
    later = made(weights=b"later")
    tracking.track([later], evaluation(later), root)
    experiment = client(root).get_experiment_by_name("mien").experiment_id
    listed = client(root).search_runs([experiment], order_by=["attributes.start_time DESC"])
    assert [run.info.run_name.partition(":")[0] for run in listed] == [
        *("pipeline", "train", "pipeline", "tune"),
        *("trial 4", "trial 3", "trial 2", "trial 1"),
    ]


def test_the_tuned_models_run_tells_of_its_study(root):
    track(tuned(), root)
    (parent,) = runs(root, "tune@simple_cnn")
    note = parent.data.tags["mlflow.note.content"]
    assert "4 trials (2 complete, 1 pruned, 1 failed); the best is trial 2" in note
    assert "Chosen: the best." in note
    assert "+0.125 (+0.025 to +0.225)" in note
    assert not [name for name in parent.data.metrics if "tuning" in name]


def test_tracking_a_study_again_adds_no_trial(root):
    track(tuned(), root)
    before = {name: run.to_dictionary() for name, run in trials(root).items()}
    # Another score lets the model's run be completed again.
    for model in (tuned(), replace(tuned(), test=tuned().validation)):
        track(model, root)
        assert {name: run.to_dictionary() for name, run in trials(root).items()} == before
        assert len(runs(root, "trial")) == 4


@pytest.mark.parametrize("method", ["create_run", "log_batch", "set_terminated"])
def test_trials_of_an_interrupted_track_are_logged_once(root, monkeypatch, method):
    done, calls = getattr(MlflowClient, method), []

    def interrupted(self, *args, **kwargs):
        result = done(self, *args, **kwargs)
        calls.append(args)
        # In the third trial, after the request was answered.
        if len(runs(root, "trial")) == 3:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(MlflowClient, method, interrupted)
    with pytest.raises(KeyboardInterrupt):
        track(tuned(), root)
    monkeypatch.undo()
    monkeypatch.chdir(root)
    assert len(runs(root, "trial")) == 3
    track(tuned(), root)
    found = trials(root)
    assert len(runs(root, "trial")) == len(found) == len(TRIALS)
    assert [run.info.status for run in found.values()] == ["FINISHED"] * 3 + ["FAILED"]
    for row in TRIALS[:3]:
        run = found[f"trial {row['trial']}"]
        assert curve(root, run, "validation/macro_f1") == {0: [float(row["value"])]}


def test_a_study_without_a_complete_trial_is_told(root):
    model = tuned(TRIALS[2:])
    nothing = {"best_trial": None, "best_value": None, "chosen": "start", "difference": None}
    tuning = {**model.validation["tuning"], **nothing}
    track(replace(model, validation={**model.validation, "tuning": tuning}), root)
    (parent,) = runs(root, "tune@simple_cnn")
    note = parent.data.tags["mlflow.note.content"]
    assert "2 trials (0 complete, 1 pruned, 1 failed). Chosen: the start.\n" in note


def test_another_study_of_the_same_model_adds_the_trials_that_differ(root):
    track(tuned(), root)
    first = {run.info.run_id for run in runs(root, "trial")}
    track(tuned([*TRIALS[:3], {**TRIALS[3], "train.learning_rate": "0.5"}]), root)
    assert len(runs(root, "tune@simple_cnn")) == 1
    second = {run.info.run_id for run in runs(root, "trial")}
    assert first < second
    assert len(second) == len(TRIALS) + 1
