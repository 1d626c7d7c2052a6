"""The stage train: what it writes is the model that was trained, a transfer net's too."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import made_faces
from stage_project import change, lay_project, run_stage

from mien import faces, metrics, models, params
from mien.project import stage_inputs

pytestmark = pytest.mark.usefixtures("_eagerly")

TRAINING, VALIDATION = made_faces(16, size=32), made_faces(12, seed=1, size=32)


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """Return a DVC project with tiny splits, whose trainings last an epoch."""
    folder = tmp_path_factory.mktemp("train")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MIEN_TRACKING", "off")
        lay_project()
        faces.save(TRAINING, Path("data/training"))
        faces.save(VALIDATION, Path("data/faces/validation"))
        change("train", epochs=1, warmup_epochs=0)
        yield folder


def read(path: str) -> dict:
    return json.loads(Path(path).read_text())


@pytest.mark.parametrize(
    ("arch", "options"), [("two_conv", {"width": 0.25}), ("mobilenet_v2", {"dense": 8})]
)
def test_the_outs_are_those_of_one_model(room, arch, options):
    change("model", **{"arch": arch, "width": 1.0, "dense": None} | options)
    run_stage("train")
    record, written = read("models/train/record.json"), read("metrics/train.json")
    assert record["name"] == "train"
    assert record["spec"].items() >= {"arch": arch, "image_size": 32, **options}.items()
    weights = Path("models/train/model.weights.h5").read_bytes()
    assert record["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    hashes = stage_inputs("train")
    assert set(record["data"]) == {"data/training", "data/faces/validation"}
    assert all(md5.endswith(".dir") for md5 in record["data"].values())
    assert set(record["data"]) < set(hashes)
    probabilities = np.load("models/train/validation.npy")
    model = models.load(Path("models/train"))
    assert model.predict(VALIDATION.images, verbose=0) == pytest.approx(probabilities, abs=1e-5)
    seed = params.load().seed
    assert metrics.score_faces(VALIDATION, probabilities, seed).items() <= written.items()
    assert (written["parameters"], written["multiply_adds"]) == models.cost(model)
    history = pd.read_csv("reports/train/history.csv")
    assert written["epochs"] == len(history) == 1
    assert history["val_accuracy"][0] == pytest.approx(written["accuracy"], abs=1e-6)
    assert not any(Path(".mien/train").iterdir()), "checkpoints of a training that is over"


def test_a_training_in_folds_tells_their_spread(room):
    change("model", arch="two_conv", width=0.25, dense=None)
    change("train", folds=2)
    run_stage("train")
    folds = read("metrics/train.json")["folds"]
    assert [fold["n"] for fold in folds["each"]] == [8, 8]
    change("train", folds=0)
