"""Every installed Keras backend trains `compact`, and all load each other's weights."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASSES, drawn_images, made_faces
from nets import spec

from mien import models, params
from mien.errors import ParamError

IMAGES = drawn_images(8)[0]
SPEC = spec("compact", width=0.25, classes=list(CLASSES))


def train(folder: Path) -> None:
    """Train for two epochs; write the model as a stage does, and its predictions."""
    from mien.training.fitting import fit

    settings = params.load()
    short = {"epochs": 2, "batch_size": 16, "warmup_epochs": 1}
    trained = fit(
        SPEC,
        made_faces(64),
        made_faces(16, seed=9),
        train=settings.train.model_copy(update=short),
        augment=settings.augment,
        seed=1,
        checkpoints=folder / "checkpoints",
    )
    trained.model.save_weights(folder / "model.weights.h5")
    (folder / "record.json").write_text(json.dumps({"spec": SPEC}))
    (folder / "history.json").write_text(json.dumps(trained.history))
    np.save(folder / "predicted.npy", trained.model.predict(IMAGES, verbose=0))


def difference(folder: Path) -> float:
    """Return how far predictions of the model in `folder`, loaded here, are from its own."""
    predicted = models.load(folder).predict(IMAGES, verbose=0)
    return float(np.abs(predicted - np.load(folder / "predicted.npy")).max())


OTHER = """
import sys
sys.path[:0] = {paths!r}
from mien import models
models.use_backend({backend!r})
import keras
assert keras.backend.backend() == {backend!r}
from pathlib import Path
import test_backend
test_backend.train(Path({own!r}))
print(*(test_backend.difference(Path(folder)) for folder in {others!r}))
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """Return the folder of each backend's model, so far only TensorFlow's."""
    folder = tmp_path_factory.mktemp("tensorflow")
    train(folder)
    return {"tensorflow": folder}


def if_installed(backend: str):
    missing = importlib.util.find_spec(backend) is None
    reason = f"{backend} is not installed; `pip install {backend}` adds this test"
    return pytest.param(backend, marks=pytest.mark.skipif(missing, reason=reason))


@pytest.mark.parametrize("backend", map(if_installed, ("jax", "torch")))
def test_another_backend_trains_and_both_load_each_other_s_weights(backend, folders, tmp_path):
    here = Path(__file__).parent
    code = OTHER.format(
        paths=[str(here), str(here.parent)],
        backend=backend,
        own=str(tmp_path),
        others=[str(folder) for folder in folders.values()],
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == 0, done.stderr
    assert all(float(each) < 1e-4 for each in done.stdout.split())
    assert difference(tmp_path) < 1e-4
    history = json.loads((tmp_path / "history.json").read_text())
    assert history[1]["loss"] < history[0]["loss"]
    # The next backend loads this one's too.
    folders[backend] = tmp_path


def test_missing_backend_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ParamError, match=r"jax is not installed; run `pip install jax`"):
        models.use_backend("jax")
