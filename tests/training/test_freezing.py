"""A net with trained weights learns head first, then its last layers, resumable to the byte."""

from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pytest
from conftest import CLASSES, made_faces
from short_training import copying, digest

from mien import models, params
from mien.models import weights
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
        made_faces(16, size=32),
        made_faces(8, seed=9, size=32),
        train=TRAIN,
        augment=PARAMS.augment,
        seed=1,
        checkpoints=folder,
        pretrained=start,
        **more,
    )


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Pretrained:
    path = tmp_path_factory.mktemp("weights") / "made.weights.h5"
    keras.utils.set_random_seed(5)
    keras.applications.VGG16(include_top=False, weights=None).save_weights(path)
    return weights.load(SPEC | {"weights": str(path)})


class Whole(NamedTuple):
    history: list[dict[str, float]]
    digest: str
    copies: Path


@pytest.fixture(scope="module")
def whole(start, tmp_path_factory) -> Whole:
    """Return a run that nothing disturbed, with copies of its checkpoints."""
    folder = tmp_path_factory.mktemp("whole")
    checkpoints = folder / "checkpoints"
    result = trained(checkpoints, start, watch=copying(checkpoints, folder))
    return Whole(result.history, digest(result.model, folder), folder)


def test_the_head_learns_alone_then_the_last_layers_at_a_tenth_of_the_rate(whole, start):
    def changed(epoch: int) -> list[int]:
        first = [array for layer in start.layers.values() for array in layer]
        with np.load(whole.copies / f"{epoch}/{epoch:05d}.npz") as arrays:
            below = [arrays[f"average{place:05d}"] for place in range(len(first))]
        return [place for place in range(26) if not np.array_equal(below[place], first[place])]

    assert changed(1) == []
    # Of the last four layers one pools; the others have a kernel and a bias.
    assert changed(3) == [20, 21, 22, 23, 24, 25]
    rates = [row["learning_rate"] for row in whole.history]
    assert rates == pytest.approx([TRAIN.learning_rate, *[TRAIN.learning_rate / 10] * 2])


@pytest.mark.parametrize("epochs", [1, 2])
def test_killed_at_the_thaw_or_after_it_ends_in_the_same_bytes(epochs, start, tmp_path, whole):
    result = trained(whole.copies / str(epochs), start)
    assert result.history == whole.history
    assert digest(result.model, tmp_path) == whole.digest


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
