"""Trials learn from a fair share of the images, for a part of the epochs."""

from pathlib import Path

import numpy as np
import pytest
from conftest import made_faces

from mien import params
from mien.training.augmentation import training_set
from mien.tuning.trainer import share, short

PARAMS = params.load(Path(__file__).parents[2] / "params.yaml")
TRAINING = training_set(made_faces(80), PARAMS.augment, seed=0)


def test_a_share_has_all_classes_alike_and_no_group_torn_apart():
    some = share(TRAINING, 0.25, seed=0)
    assert some.index["label"].value_counts().to_list() == [10, 10, 10, 10]
    kept = TRAINING.index["group"].isin(some.index["group"])
    assert some.index.equals(TRAINING.index[kept].reset_index(drop=True))
    assert np.array_equal(some.images, TRAINING.images[kept.to_numpy()])


def test_a_share_follows_from_its_seed():
    groups = [set(share(TRAINING, 0.25, seed).index["group"]) for seed in (0, 0, 1)]
    assert groups[0] == groups[1] != groups[2]


def test_a_tiny_share_still_has_an_image_of_each_class():
    assert share(TRAINING, 0.001, seed=0).index["label"].nunique() == 4
    assert share(TRAINING, 1, seed=0) is TRAINING


@pytest.mark.parametrize("epochs", [1, 4, 15, 40])
def test_the_warm_up_of_a_trial_keeps_its_part_of_the_epochs(epochs):
    changes = {"epochs": 15, "warmup_epochs": 14.9, "early_stopping": 3}
    train = PARAMS.train.model_copy(update=changes)
    shortened = short(train, epochs)
    assert (shortened.epochs, shortened.early_stopping) == (epochs, 0)
    assert shortened.warmup_epochs == pytest.approx(14.9 / 15 * epochs)
    assert shortened.warmup_epochs < epochs
