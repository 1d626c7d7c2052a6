"""A net with trained weights learns head first, then its last layers, resumable to the byte."""

import hashlib
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import CLASSES, made_faces

from mien import models, params
from mien.models.weights import Pretrained
from mien.training.fitting import fit
from mien.training.freezing import freeze, head_epochs

PARAMS = params.load()
SPEC = {"arch": "vgg16", "classes": list(CLASSES), "image_size": 32, "unfreeze": 4}
TRAIN = PARAMS.train.model_copy(
    update={
        "epochs": 3,
        "batch_size": 8,
        "learning_rate": 0.002,
        "warmup_epochs": 0,
        "schedule": "constant",
        "ema": 0.9,
    }
)


def trained(folder: Path, start: Pretrained, **more):
    return fit(
        SPEC,
        small(16),
        small(8, seed=9),
        train=TRAIN,
        augment=PARAMS.augment,
        seed=1,
        checkpoints=folder,
        pretrained=start,
        **more,
    )


def small(count: int, seed: int = 0):
    faces = made_faces(count, seed)
    return type(faces)(faces.images[:, 8:40, 8:40], faces.index)


def digest(model: keras.Model, folder: Path) -> str:
    model.save_weights(folder / "model.weights.h5")
    return hashlib.sha256((folder / "model.weights.h5").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Pretrained:
    path = tmp_path_factory.mktemp("weights") / "made.weights.h5"
    keras.utils.set_random_seed(5)
    keras.applications.VGG16(include_top=False, weights=None).save_weights(path)
    return pretrained.load(SPEC | {"weights": str(path)})


@pytest.mark.parametrize("epochs", [1, 2])
def test_killed_at_the_thaw_or_after_it_ends_in_the_same_bytes(epochs, start, tmp_path, whole):
    class KilledError(Exception):
        pass

    def kill(history):
        if len(history) == epochs:
            raise KilledError

    with pytest.raises(KilledError):
        trained(tmp_path / "checkpoints", start, watch=kill)
    result = trained(tmp_path / "checkpoints", start)
    assert (result.history, digest(result.model, tmp_path)) == whole


@pytest.fixture(scope="module")
def whole(start, tmp_path_factory):
    """Return history and digest of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    below: list[list[np.ndarray]] = []

    def watch(history):
        with np.load(folder / "checkpoints" / f"{len(history):05d}.npz") as arrays:
            below.append([arrays[f"average{place:05d}"] for place in range(26)])

    result = trained(folder / "checkpoints", start, watch=watch)
    # In the first epoch the head alone learns, then also the last four layers, a pooling among
    # them, at a tenth of the rate.
    first = [array for layer in start.layers.values() for array in layer]
    assert all(map(np.array_equal, below[0], first))
    changed = [place for place in range(26) if not np.array_equal(below[2][place], first[place])]
    assert changed == [20, 21, 22, 23, 24, 25]
    rates = [row["learning_rate"] for row in result.history]
    assert rates == pytest.approx([TRAIN.learning_rate, *[TRAIN.learning_rate / 10] * 2])
    return result.history, digest(result.model, folder)


def test_head_learns_alone_for_a_quarter_of_the_epochs_or_for_all():
    assert [head_epochs(epochs, 4) for epochs in (1, 4, 12, 30)] == [1, 1, 3, 8]
    assert head_epochs(12, 0) == 12


def test_batch_normalisation_never_thaws():
    model = models.build(SPEC | {"arch": "mobilenet_v2", "unfreeze": 0})
    below = model.get_layer("backbone")
    freeze(model, 10)
    learning = [layer.name for layer in below.layers if layer.trainable]
    assert learning == [
        layer.name for layer in below.layers[-10:] if "bn" not in layer.name.lower()
    ]
    assert 0 < len(learning) < 10
    freeze(model, 0)
    assert [weight.path for weight in model.trainable_weights] == ["dense/kernel", "dense/bias"]
    statistics = below.get_layer("bn_Conv1").get_weights()
    model(np.zeros((2, 32, 32), np.float32), training=True)
    assert all(map(np.array_equal, statistics, below.get_layer("bn_Conv1").get_weights()))
