"""Trials learn from a fair share of the images; at full length the better recipe wins."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import made_faces

from mien import params
from mien.errors import TrainingError
from mien.training.augmentation import training_set
from mien.tuning import space
from mien.tuning.trainer import Trainer, share, short

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


class Nets(Trainer):
    """A trainer whose nets are all alike but for how sure and how right they are."""

    def train(self, recipe, images, checkpoints, title, watch=None):
        if recipe.train.learning_rate > 0.5:
            raise TrainingError("epoch 1: the loss is nan")
        right = np.eye(4)[self.validation.labels]
        wrong = np.arange(len(right)) < 100 * recipe.train.learning_rate
        right[wrong] = np.roll(right[wrong], 1, axis=1)
        model = SimpleNamespace(predict=lambda *_, **__: (0.6 * right + 0.1).astype(np.float32))
        return SimpleNamespace(model=model, history=[])


BENCH = Nets(TRAINING, made_faces(40, seed=3), 0, None, lambda title: nullcontext())


def recipes(start: float, best: float):
    start, best = (
        space.Recipe(
            PARAMS.model, PARAMS.train.model_copy(update={"learning_rate": rate}), PARAMS.augment
        )
        for rate in (start, best)
    )
    return {"start": start, "best": best}


@pytest.mark.parametrize(
    ("start", "best", "name"), [(0.1, 0.05, "best"), (0.05, 0.1, "start"), (0.1, 0.101, "start")]
)
@pytest.mark.parametrize("metric", ["macro_f1", "log_loss"])
def test_the_better_of_both_is_chosen_and_of_equals_the_start(start, best, name, metric, tmp_path):
    done = finals.finals(BENCH, recipes(start, best), tmp_path)
    assert finals.chosen(done, metric).name == name


def test_a_best_trial_that_is_lost_at_full_length_leaves_the_start(tmp_path, capsys):
    done = finals.finals(BENCH, recipes(0.1, 0.9), tmp_path)
    assert finals.chosen(done, "accuracy").name == "start"
    told = finals.compared(done, BENCH)
    assert told["best"] is None
    assert told["start"]["accuracy"] == 0.75
    assert "difference" not in told
    assert "best at full length: epoch 1: the loss is nan" in capsys.readouterr().err


def test_a_lost_start_leaves_the_best_trial(tmp_path):
    done = finals.finals(BENCH, recipes(0.9, 0.1), tmp_path)
    assert finals.chosen(done, "accuracy").name == "best"
    with pytest.raises(TrainingError, match="the loss is nan"):
        finals.finals(BENCH, recipes(0.9, 0.8), tmp_path)


def test_the_difference_is_best_minus_start(tmp_path):
    told = finals.compared(finals.finals(BENCH, recipes(0.1, 0.05), tmp_path), BENCH)
    assert (told["best"]["accuracy"], told["start"]["accuracy"]) == (0.875, 0.75)
    assert told["difference"]["accuracy_difference"] == 0.125
