"""Training learns, repeats itself to the byte, survives a kill and says what went wrong."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pytest
from conftest import CLASSES, made_faces
from sklearn.metrics import log_loss, roc_auc_score

from mien import params
from mien.errors import ParamError, TrainingError
from mien.params import Train
from mien.training import checkpoint
from mien.training.augmentation import training_set
from mien.training.batches import Batches, mix
from mien.training.fitting import fit
from mien.training.folds import cross_validate, splits
from mien.training.muon import Muon
from mien.training.schedule import best_epoch, finished, learning_rate, plateaus

PARAMS = params.load()
SPEC = {
    "arch": "compact",
    "width": 0.25,
    "dropout": 0.2,
    "classes": ["happy", "neutral", "sad", "surprise"],
    "image_size": 48,
}
STILL = PARAMS.augment.model_copy(update={"each_epoch": False})


def recipe(**changes) -> Train:
    short = {"epochs": 3, "batch_size": 16, "ema": 0.9, "warmup_epochs": 1, "mixup": 0.2}
    return Train.model_validate(PARAMS.train.model_dump() | short | changes)


def trained(folder: Path, train: Train, augment=PARAMS.augment, seed=1, **more):
    return fit(
        SPEC,
        made_faces(48),
        made_faces(24, seed=9),
        train=train,
        augment=augment,
        seed=seed,
        checkpoints=folder,
        **more,
    )


def digest(model: keras.Model, folder: Path) -> str:
    model.save_weights(folder / "model.weights.h5")
    return hashlib.sha256((folder / "model.weights.h5").read_bytes()).hexdigest()


class Undisturbed(NamedTuple):
    model: keras.Model
    history: list[dict[str, float]]
    digest: str
    checkpoints: Path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Undisturbed:
    """Return the one run that repeated, killed and cut-off ones are compared with."""
    folder = tmp_path_factory.mktemp("undisturbed")
    result = trained(folder / "checkpoints", recipe(early_stopping=2))
    return Undisturbed(
        result.model, result.history, digest(result.model, folder), folder / "checkpoints"
    )


def test_equal_seeds_train_to_the_same_bytes_and_others_differ(undisturbed, tmp_path):
    again = trained(tmp_path / "again", recipe(early_stopping=2))
    assert again.history == undisturbed.history
    assert digest(again.model, tmp_path) == undisturbed.digest
    other = trained(tmp_path / "other", recipe(epochs=1, warmup_epochs=0), seed=2)
    assert digest(other.model, tmp_path) != undisturbed.digest


KILLED = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}]
import test_training
from mien.training.batches import Batches

take = Batches.__getitem__
def slow(self, batch):
    if self._epoch == 2 and batch == 1:
        print("mid-epoch", flush=True)
        import time; time.sleep(600)
    return take(self, batch)
Batches.__getitem__ = slow
test_training.trained(Path({folder!r}), test_training.recipe(early_stopping=2))
"""


def test_killed_training_resumes_to_the_bytes_of_an_undisturbed_one(undisturbed, tmp_path):
    folder = tmp_path / "checkpoints"
    code = KILLED.format(tests=str(Path(__file__).parent), folder=str(folder))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "mid-epoch\n"
        os.kill(child.pid, signal.SIGKILL)
    saved = json.loads((folder / checkpoint.STATE).read_text())
    assert len(saved["history"]) == 2
    seen: list[int] = []
    result = trained(
        folder, recipe(early_stopping=2), watch=lambda history: seen.append(len(history))
    )
    assert seen == [3], "the finished epochs must not run again"
    assert result.history == undisturbed.history
    assert digest(result.model, tmp_path) == undisturbed.digest
    assert result.seconds > saved["seconds"] > 0


def test_muon_is_resumed_to_the_bytes_of_an_undisturbed_training(tmp_path):
    train = recipe(epochs=2, optimizer="muon")
    whole = trained(tmp_path / "whole", train)

    def interrupt(history):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "cut", train, watch=interrupt)
    again = trained(tmp_path / "cut", train)
    assert again.history == whole.history
    assert digest(again.model, tmp_path) == digest(whole.model, tmp_path)
    other = trained(tmp_path / "other", recipe(epochs=2, optimizer="adamw"))
    assert digest(other.model, tmp_path) != digest(whole.model, tmp_path)


def test_muon_steps_along_the_singular_vectors_alike():
    """The momentum's are those of the first gradient; all singular values come near 1."""
    rng = np.random.default_rng(3)
    kernel = keras.Variable(rng.normal(size=(3, 3, 16, 32)), dtype="float32")
    gradient = rng.normal(size=(3, 3, 16, 32)).astype(np.float32)
    before = keras.ops.convert_to_numpy(kernel)
    Muon(0.01, weight_decay=0).apply([keras.ops.convert_to_tensor(gradient)], [kernel])
    step = (before - keras.ops.convert_to_numpy(kernel)).reshape(144, 32)
    left, _, right = np.linalg.svd(gradient.reshape(144, 32), full_matrices=False)
    # Liu et al. 2025: 0.2 times the root of the longer side.
    values = left.T @ step @ right.T / (0.01 * 0.2 * 12)
    assert np.diag(values) == pytest.approx(np.ones(32), abs=0.35)
    assert values - np.diag(np.diag(values)) == pytest.approx(np.zeros((32, 32)), abs=0.01)


@pytest.mark.parametrize("shape", [(32,), (3, 3, 1, 32), (64, 7)])
def test_muon_leaves_to_adamw_what_is_no_large_kernel(shape):
    gradient = np.random.default_rng(4).normal(size=shape).astype(np.float32)
    variables = []
    for optimizer in (Muon(0.01, adam_weight_decay=0), keras.optimizers.Adam(0.01)):
        variables.append(keras.Variable(np.ones(shape), dtype="float32"))
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variables[-1]])
    muon, adam = map(keras.ops.convert_to_numpy, variables)
    assert muon == pytest.approx(adam, abs=1e-6)
    assert not np.allclose(muon, 1)


def test_finished_training_is_not_repeated(undisturbed, tmp_path):
    again = trained(
        undisturbed.checkpoints,
        recipe(early_stopping=2),
        watch=lambda history: pytest.fail("trained again"),
    )
    assert again.history == undisturbed.history
    assert digest(again.model, tmp_path) == undisturbed.digest


def test_only_the_last_checkpoint_is_kept(undisturbed):
    names = {path.name for path in undisturbed.checkpoints.iterdir()}
    assert names == {"state.json", "00003.weights.h5", "00003.npz"}


def test_checkpoint_cut_off_while_being_written_leaves_the_last_one(
    undisturbed, tmp_path, monkeypatch
):
    def cut_off(*_):
        raise KeyboardInterrupt

    train = recipe(early_stopping=2)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        trained(tmp_path, train, watch=lambda history: patch.setattr("os.replace", cut_off))
    assert (tmp_path / "00002.npz").exists()
    assert len(json.loads((tmp_path / "state.json").read_text())["history"]) == 1
    assert digest(trained(tmp_path, train).model, tmp_path) == undisturbed.digest


def test_history_has_the_figures_of_the_returned_model(undisturbed):
    validation = made_faces(24, seed=9)
    probabilities = undisturbed.model.predict(validation.images, verbose=0)
    found = probabilities.argmax(axis=1)
    best = min(undisturbed.history, key=lambda row: row["val_loss"])
    assert best["val_accuracy"] == pytest.approx((found == validation.labels).mean())
    loss = log_loss(validation.labels, probabilities.astype(float), labels=range(len(CLASSES)))
    assert best["val_log_loss"] == pytest.approx(loss, rel=1e-5)
    area = roc_auc_score(validation.labels, probabilities, multi_class="ovr")
    assert best["val_roc_auc"] == pytest.approx(area)
    columns = "epoch loss accuracy val_loss val_accuracy val_macro_f1 val_roc_auc val_log_loss"
    assert list(best) == [*columns.split(), "learning_rate"]


def test_early_stopping_returns_the_best_epoch(tmp_path):
    """A rate far too high makes later epochs worse than an earlier one."""
    train = recipe(epochs=6, early_stopping=2, schedule="constant", learning_rate=0.05, ema=0)
    result = trained(tmp_path, train)
    losses = [row["val_loss"] for row in result.history]
    validation = made_faces(24, seed=9)
    smooth = keras.losses.CategoricalCrossentropy(label_smoothing=train.label_smoothing)
    probabilities = result.model.predict(validation.images, verbose=0)
    assert float(smooth(np.eye(4)[validation.labels], probabilities)) == pytest.approx(
        min(losses), abs=1e-4
    )


def test_thirty_two_images_are_learnt_by_heart(tmp_path):
    train = recipe(epochs=25, mixup=0, label_smoothing=0, learning_rate=0.005)
    faces = made_faces(32)
    result = fit(SPEC, faces, faces, train=train, augment=STILL, seed=0, checkpoints=tmp_path)
    assert result.history[-1]["val_accuracy"] == 1


def test_lost_loss_is_named_with_its_epoch_and_what_to_try(tmp_path):
    with pytest.raises(TrainingError, match=r"epoch 1: the loss is \w+; lower train.learning_rate"):
        trained(tmp_path, recipe(learning_rate=1e30, schedule="constant", warmup_epochs=0))
    assert not (tmp_path / "state.json").exists()


def test_half_precision_trains_and_returns_float32(tmp_path):
    result = trained(tmp_path, recipe(epochs=1, warmup_epochs=0, precision="mixed_bfloat16"))
    assert {str(weight.dtype) for weight in result.model.weights} == {"float32"}
    assert result.model.compute_dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"


def test_every_image_comes_once_an_epoch_in_batches_of_equal_size():
    batches = Batches(made_faces(50), 16, 0, STILL, seed=0, epoch=0)
    sizes = [len(batches[number][0]) for number in range(len(batches))]
    assert sizes == [13, 13, 12, 12]
    seen = np.concatenate([batches[number][0] for number in range(len(batches))])
    assert {image.tobytes() for image in seen.astype(np.uint8)} == {
        image.tobytes() for image in made_faces(50).images
    }


def test_no_two_epochs_see_the_same_pixels():
    faces = made_faces(40)
    first, again, later = (
        np.concatenate([images for images, _ in Batches(faces, 8, 0, PARAMS.augment, 0, epoch)])
        for epoch in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    repeated = {image.tobytes() for image in first} & {image.tobytes() for image in later}
    assert len(repeated) < 10


def test_mixup_blends_an_image_and_its_target_by_the_same_weight():
    images = np.arange(8, dtype=np.float32)[:, None, None] * np.ones((1, 4, 4), np.float32)
    mixed, targets = mix(images, np.eye(8, dtype=np.float32), 0.4, np.random.default_rng(0))
    assert targets.sum(axis=1) == pytest.approx(1)
    assert (np.count_nonzero(targets, axis=1) <= 2).all()
    assert mixed[:, 0, 0] == pytest.approx(targets @ np.arange(8), abs=1e-5)
    assert np.array_equal(images[:, 0, 0], np.arange(8))


def test_label_smoothing_is_in_both_losses(tmp_path):
    """An untrained net says about 1/4 for all: smoothing must not change that loss by much,
    while after learning by heart it keeps the loss above the entropy of the smoothed target."""
    smoothing = 0.4
    train = recipe(epochs=12, mixup=0, label_smoothing=smoothing, learning_rate=0.005)
    faces = made_faces(32)
    history = fit(
        SPEC, faces, faces, train=train, augment=STILL, seed=0, checkpoints=tmp_path
    ).history
    target = np.full(4, smoothing / 4) + np.array([1 - smoothing, 0, 0, 0])
    entropy = -(target * np.log(target)).sum()
    assert all(row["loss"] > entropy - 1e-5 for row in history)
    assert entropy - 1e-5 < history[-1]["val_loss"] < entropy + 0.3


def test_learning_rate_warms_up_linearly_then_follows_the_cosine():
    train = recipe(epochs=5, warmup_epochs=1, schedule="cosine", learning_rate=0.1)
    rates = [learning_rate(step, 10, [], train) for step in range(50)]
    assert rates[:10] == pytest.approx(np.arange(1, 11) / 100)
    assert rates[10] == pytest.approx(0.1)
    assert rates[30] == pytest.approx(0.05)
    assert 0 < rates[49] < 0.001


def test_constant_rate_stays():
    train = recipe(schedule="constant", learning_rate=0.1, warmup_epochs=0)
    assert {learning_rate(step, 10, [1, 2], train) for step in range(30)} == {0.1}


def test_plateau_halves_the_rate_after_three_epochs_without_a_lower_loss():
    train = recipe(schedule="plateau", learning_rate=0.1, warmup_epochs=0)
    losses = [3, 2, 2.5, 2, 2.1]
    assert plateaus(losses[:4]) == 0
    assert learning_rate(50, 10, losses, train) == pytest.approx(0.05)
    assert plateaus([*losses, 1.9, 2, 2]) == 1
    assert plateaus([*losses, 3, 3, 3]) == 2


def test_early_stopping_waits_for_its_epochs():
    train = recipe(epochs=9, early_stopping=2)
    assert not finished([], train)
    assert not finished([3, 2, 2.5], train)
    assert finished([3, 2, 2.5, 2.0], train)
    assert best_epoch([3, 2, 2.5, 2.0]) == 1
    assert not finished([3, 2, 2.5, 2.0], recipe(epochs=9, early_stopping=0))
    assert finished([1] * 9, recipe(epochs=9, early_stopping=0))


def test_folds_keep_groups_together_and_measure_each_original_once():
    faces = made_faces(60)
    faces.index["group"] = np.arange(60) // 8 * 4 + np.arange(60) % 4
    training = training_set(faces, PARAMS.augment, seed=0)
    measured = []
    for learn, measure in (map(training.take, rows) for rows in splits(training, 5, seed=0)):
        assert not set(learn.index["group"]) & set(measure.index["group"])
        assert (measure.index["copy"] == 0).all()
        assert (learn.index["copy"] > 0).any()
        measured += measure.index["name"].tolist()
    assert sorted(measured) == sorted(faces.index["name"])


def test_folds_report_mean_and_spread_and_are_not_repeated(tmp_path, monkeypatch):
    train = recipe(epochs=1, warmup_epochs=0, folds=2, mixup=0)
    result = cross_validate(
        SPEC, made_faces(32), train=train, augment=STILL, seed=0, checkpoints=tmp_path
    )
    accuracies = [fold["accuracy"] for fold in result["each"]]
    assert [fold["n"] for fold in result["each"]] == [16, 16]
    assert result["accuracy_mean"] == pytest.approx(sum(accuracies) / 2, abs=1e-6)
    assert result["accuracy_std"] == pytest.approx(np.std(accuracies, ddof=1), abs=1e-6)
    monkeypatch.setattr(keras.Model, "fit", lambda *_, **__: pytest.fail("trained again"))
    again = cross_validate(
        SPEC, made_faces(32), train=train, augment=STILL, seed=0, checkpoints=tmp_path
    )
    assert again == result


def test_more_folds_than_images_of_a_class_are_refused():
    with pytest.raises(ParamError, match=r"9 folds need at least 9 images .* got 8 of happy"):
        next(splits(made_faces(32), 9, seed=0))
