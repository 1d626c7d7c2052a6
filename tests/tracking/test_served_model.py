"""The champion as MLflow serves it, against the Keras model it was made from."""

import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
from conftest import drawn_images
from made_state import CLASSES, client, ensemble, evaluation, made, project

from mien import models, tracking


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    return project(tmp_path, monkeypatch)


def trained() -> tracking.TrackedModel:
    """Return a made state whose weights are a real model's."""
    model = made()
    net = models.build(model.record["spec"], seed=3)
    net.save_weights(model.folder / "model.weights.h5")
    return model


def test_the_champion_predicts_what_keras_does(root, monkeypatch):
    model = trained()
    tracking.track([model], evaluation(model), root)
    images, _ = drawn_images(6)
    expected = models.load(model.folder).predict(images, verbose=0)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root}/mlflow.db")
    # Loading puts the model's own copy of the code before everything else.
    monkeypatch.setattr(sys, "path", list(sys.path))
    served = mlflow.pyfunc.load_model("models:/mien@champion").predict(images)
    assert list(served.columns) == CLASSES
    np.testing.assert_allclose(served.to_numpy(), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(served.sum(axis=1), 1, atol=1e-5)


def test_an_ensemble_is_served_with_the_members_it_uses(root, monkeypatch):
    members = []
    for seed, name in ((3, "train"), (4, "tune_simple_cnn")):
        model = made(name, bytes([seed]))
        models.build(model.record["spec"], seed).save_weights(model.folder / "model.weights.h5")
        members.append(model)
    idle = made("tune_two_conv", b"idle")
    combined = ensemble(*members, idle=[idle])
    state = (*members, idle, combined)
    tracking.track(state, evaluation(*state, champion="ensemble"), root)
    images, _ = drawn_images(6)
    parts = [models.load(model.folder).predict(images, verbose=0) for model in members]
    expected = np.average(parts, axis=0, weights=combined.record["combination"]["weights"])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root}/mlflow.db")
    monkeypatch.setattr(sys, "path", list(sys.path))
    served = mlflow.pyfunc.load_model("models:/mien@champion").predict(images)
    assert list(served.columns) == CLASSES
    assert set(served.dtypes) == {np.dtype("float32")}
    np.testing.assert_allclose(served.to_numpy(), expected, rtol=0, atol=1e-6)
    version = client(root).get_model_version_by_alias("mien", "champion")
    folder = Path(mlflow.artifacts.download_artifacts(version.source)) / "artifacts"
    assert {path.name for path in folder.iterdir()} == {"ensemble", "train", "simple_cnn"}
