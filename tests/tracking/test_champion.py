"""The champion in MLflow: registered once for each export, under the alias that serves it."""

import base64
import shutil
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import drawn_images, encoded
from drawn_photos import exported
from made_state import client, evaluation, made, project, runs
from mlflow import MlflowClient

from mien import tracking
from mien.errors import TrackingError
from mien.inference import classify
from mien.tracking import champion as champion_module

MODEL = "models:/mien@champion"
FACES, CODES = drawn_images(classify.BATCH + 3)


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    root = project(tmp_path, monkeypatch)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root}/mlflow.db")
    # Loading puts the model's own copy of the code before everything else.
    monkeypatch.setattr(sys, "path", list(sys.path))
    return root


def track(root: Path, *models: tracking.TrackedModel, **options) -> None:
    """Track a state whose champion, the first model, is exported unless told otherwise."""
    folder = options.pop("folder", Path("models/export"))
    champion = models[0].record["name"]
    tracking.track(models, evaluation(*models, champion=champion), root, folder)


def photos(*images: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"image": [base64.b64encode(encoded(one)).decode() for one in images]})


def versions(root: Path) -> list[int]:
    return sorted(int(one.version) for one in client(root).search_model_versions("name = 'mien'"))


def champion(root: Path) -> int:
    return int(client(root).get_model_version_by_alias("mien", "champion").version)


def test_the_alias_returns_to_the_version_of_a_champion_that_returns(root):
    one, two, folder = made(), made("tune_small", b"two"), exported()
    seen = []
    for state in ((one, two), (two, one), (one, two), (one, two)):
        track(root, *state, folder=folder)
        seen.append(champion(root))
    assert seen == [1, 2, 1, 1]
    assert versions(root) == [1, 2]


def test_another_export_of_the_same_model_is_another_version(root):
    model, seen = made(), []
    for card in ({}, {"method": "mean"}, {}):
        track(root, model, folder=exported(**card))
        seen.append(champion(root))
    assert seen == [1, 2, 1]
    (run,) = runs(root, "train")
    assert len(run.outputs.model_outputs) == 3
    assert all(one.run_id == run.info.run_id for one in client(root).search_model_versions())


def test_another_way_of_reading_images_is_another_version(root, monkeypatch):
    model, folder = made(), exported()
    track(root, model, folder=folder)
    package = shutil.copytree(champion_module.PACKAGE, root / "mien")
    with (package / "inference/reader.py").open("a") as code:
        code.write("# Changed.\n")
    with monkeypatch.context() as patch:
        patch.setattr(champion_module, "PACKAGE", package)
        track(root, model, folder=folder)
    assert (champion(root), versions(root)) == (2, [1, 2])


def test_a_champion_that_onnx_cannot_hold_is_registered_as_keras(root, capsys):
    model, seen = made(), []
    for folder in (None, exported(), None):
        track(root, model, folder=folder)
        seen.append(champion(root))
    assert seen == [1, 2, 1]
    said = [line for line in capsys.readouterr().err.splitlines() if "; champion " in line]
    assert ["as Keras" in line for line in said] == [True, False, True]
    keras, onnx = (client(root).get_model_version("mien", number) for number in (1, 2))
    assert "as Keras" in keras.description
    assert "as ONNX" in onnx.description


@pytest.mark.parametrize(
    "step",
    [
        "log_model_artifacts",
        "finalize_logged_model",
        "log_outputs",
        "create_model_version",
        "set_registered_model_alias",
    ],
)
def test_a_registration_killed_before_a_step_is_completed_without_a_second_model(
    root, monkeypatch, step
):
    model = made()
    track(root, model, folder=None)

    def killed(*arguments, **options):
        raise KeyboardInterrupt

    folder = exported()
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, step, killed)
        with pytest.raises(KeyboardInterrupt):
            track(root, model, folder=folder)
    for _ in range(2):
        track(root, model, folder=exported())
    assert versions(root) == [1, 2]
    assert champion(root) == 2
    (run,) = runs(root, "train")
    logged = client(root).search_logged_models([run.info.experiment_id])
    assert sorted((one.name, one.status) for one in logged) == [
        ("train", "READY"),
        ("train_onnx", "READY"),
    ]
    assert sorted(one.model_id for one in run.outputs.model_outputs) == sorted(
        one.model_id for one in logged
    )
    model = mlflow.pyfunc.load_model(MODEL)
    assert len(model.predict(photos(*FACES[:2]))) == 2


def test_an_experiment_names_a_challenger_that_promote_makes_the_champion(
    root, monkeypatch, capsys
):
    one, two, folder = made(), made("tune_small", b"two"), exported()
    track(root, one, folder=folder)
    with monkeypatch.context() as patch:
        patch.setenv("DVC_EXP_NAME", "puffy-daze")
        track(root, two, folder=folder)
    aliases = client(root).get_registered_model("mien").aliases
    assert {name: int(number) for name, number in aliases.items()} == {
        "champion": 1,
        "challenger": 2,
    }
    said = tracking.promote(root)
    assert champion(root) == 2
    assert said.startswith("champion moved from train (version 1, validation macro-F1 0.6250)")
    assert "to tune_small (version 2, validation macro-F1 0.6250)" in said
    assert said.endswith("measured on the same validation images")
    assert tracking.promote(root).startswith("champion stays tune_small (version 2")


def test_without_a_challenger_there_is_nothing_to_promote(root):
    track(root, made(), folder=None)
    with pytest.raises(TrackingError, match=r"^there is no challenger to promote.*becomes one$"):
        tracking.promote(root)
    assert champion(root) == 1
