"""The stage tune with real nets: its outs, after kills too, and its place beside train."""

import hashlib
import json
from pathlib import Path

import keras
import made_stage
import numpy as np
import pandas as pd
import postgres
import pytest
from conftest import made_faces
from dvc.utils.serialize import dump_yaml, load_yaml
from stage_project import change, lay_project

from mien import metrics, models, params
from mien.errors import ParamError
from mien.project import stage_inputs
from mien.training import checkpoint
from mien.training.fitting import fit
from mien.training.recipe import model_spec

pytestmark = pytest.mark.usefixtures("_eagerly")

ARCH = made_stage.ARCH
MODEL, METRICS, REPORTS = (
    Path("models/tune", ARCH),
    Path("metrics/tune", f"{ARCH}.json"),
    Path("reports/tune", ARCH),
)


def outs(folder: Path) -> dict[str, str]:
    """Return the hashes of all that the stage wrote but what lies in .mien."""
    files = [path for path in folder.rglob("*") if path.is_file() and ".mien" not in path.parts]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    """Return the folder of the one run that others are compared with."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        made_stage.prepare()
        made_stage.run()
    return folder


def run_until_saved(place: str, epoch: int) -> None:
    """Run the stage, and end it when a training with `place` in its folder has saved an epoch."""
    save = checkpoint.save

    def last(folder: Path, model: keras.Model, state: checkpoint.TrainingState) -> None:
        save(folder, model, state)
        if place in folder.parts and len(state.history) == epoch:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "save", last)
        with pytest.raises(KeyboardInterrupt):
            made_stage.run()


def test_a_tuning_that_was_cut_off_twice_ends_in_the_same_bytes(undisturbed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made_stage.prepare()
    run_until_saved("trial-2", epoch=1)
    (study,) = Path(".mien/tune").iterdir()
    assert (study / "trial-2" / "state.json").exists()
    run_until_saved("final", epoch=2)
    assert not list(study.glob("trial-*"))
    assert any((study / "final").iterdir())
    made_stage.run()
    assert outs(tmp_path) == outs(undisturbed)


def test_the_outs_tell_of_the_trials_and_of_the_model(undisturbed, monkeypatch):
    monkeypatch.chdir(undisturbed)
    written = json.loads(METRICS.read_text())
    record = json.loads((MODEL / "record.json").read_text())
    trials = pd.read_csv(REPORTS / "trials.csv")
    tuning = written["tuning"]
    assert list(trials["trial"]) == [1, 2]
    assert list(trials)[5:] == ["model.dense", "train.learning_rate"]
    assert trials.loc[0, "model.dense"] == models.defaults(ARCH)["dense"]
    counts = trials["state"].value_counts()
    assert tuning["trials"] == 2
    assert [tuning[name] for name in counts.index] == counts.to_list()
    complete = trials[trials["state"] == "complete"]
    assert tuning["best_value"] == complete["value"].max()
    assert trials.set_index("trial").loc[tuning["best_trial"], "value"] == tuning["best_value"]
    assert record["name"] == f"tune_{ARCH}"
    assert written["macro_f1"] == max(tuning["start"]["macro_f1"], tuning["best"]["macro_f1"])
    names = {"history.csv", "trials.csv", "importances.csv"}
    assert {path.name for path in REPORTS.iterdir()} == names


def test_the_model_is_the_one_whose_params_are_recorded(undisturbed, monkeypatch):
    monkeypatch.chdir(undisturbed)
    validation = made_faces(24, seed=9)
    saved = np.load(MODEL / "validation.npy")
    model = models.load(MODEL)
    assert model.predict(validation.images, verbose=0) == pytest.approx(saved, abs=1e-5)
    written, record = (
        json.loads(METRICS.read_text()),
        json.loads((MODEL / "record.json").read_text()),
    )
    score = metrics.score(validation.labels, saved, validation.classes, record["params"]["seed"])
    assert score.items() <= written.items()
    assert len(pd.read_csv(REPORTS / "history.csv")) == record["params"]["train"]["epochs"]
    model = record["params"]["model"]
    if written["tuning"]["chosen"] == "start":
        assert model["dense"] is None
    else:
        trials = pd.read_csv(REPORTS / "trials.csv").set_index("trial")
        best = trials.loc[written["tuning"]["best_trial"]]
        assert model["dense"] == best["model.dense"]
        assert record["params"]["train"]["learning_rate"] == best["train.learning_rate"]


def test_the_stages_of_two_architectures_have_inputs_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lay_project()
    change("tune", archs=["compact", "two_conv"])
    one, other = stage_inputs("tune@compact"), stage_inputs("tune@two_conv")
    archs = {f"src/mien/architectures/{arch}.py" for arch in ("compact", "two_conv")}
    assert one.keys() ^ other.keys() == archs
    assert {key for key in one.keys() & other.keys() if one[key] != other[key]} == {"cmd"}


def test_where_the_start_is_best_the_model_is_that_of_train(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made_stage.prepare(trials=1)
    made_stage.run()
    settings, training = params.load(), made_faces(64)
    trained = fit(
        model_spec(settings.model, training),
        training,
        made_faces(24, seed=9),
        train=settings.train,
        augment=settings.augment,
        seed=settings.seed,
        checkpoints=tmp_path / "checkpoints",
    )
    trained.model.save_weights(tmp_path / "train.weights.h5")
    assert (tmp_path / "train.weights.h5").read_bytes() == (MODEL / "model.weights.h5").read_bytes()
    record = json.loads((MODEL / "record.json").read_text())
    assert record["params"]["model"] == settings.model.model_dump()
    tuning = json.loads(METRICS.read_text())["tuning"]
    assert (tuning["chosen"], tuning["best_trial"]) == ("start", 1)
    assert tuning["best"] == tuning["start"]
    assert "difference" not in tuning


def test_devices_that_are_not_there_end_the_stage_and_not_its_trials(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made_stage.prepare()
    values = load_yaml("params.yaml")
    values["train"]["devices"] = 3
    dump_yaml("params.yaml", values)
    with pytest.raises(ParamError, match=r"train\.devices: expected at most 1, .* got 3"):
        made_stage.run()
    assert not Path(".mien").exists()


def test_a_worker_runs_trials_and_leaves_the_rest_to_the_stage(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with postgres.server() as database:
        made_stage.prepare(trials=1, epochs=1, storage=database)
        made_stage.run("--worker")
        assert not Path("models").exists()
        worker = capsys.readouterr().err
        made_stage.run()
    assert "a study that is shared or has a budget in minutes does not repeat itself" in worker
    assert "trial 1/1: complete" in worker
    assert "trial 1/1" not in capsys.readouterr().err
    assert json.loads(METRICS.read_text())["tuning"]["trials"] == 1
