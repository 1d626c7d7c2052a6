"""Training learns, repeats itself to the byte, survives a kill and says what went wrong."""

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
from short_training import STILL, copying, digest, recipe, trained
from sklearn.metrics import log_loss, roc_auc_score

from mien.errors import TrainingError
from mien.training import checkpoint
from mien.training.fitting import fit


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
sys.path[:0] = {paths!r}
import short_training
from mien.training.batches import Batches

take = Batches.__getitem__
def slow(self, batch):
    if self._epoch == 2 and batch == 1:
        print("mid-epoch", flush=True)
        import time; time.sleep(600)
    return take(self, batch)
Batches.__getitem__ = slow
short_training.trained(Path({folder!r}), short_training.recipe(early_stopping=2))
"""


def test_killed_training_resumes_to_the_bytes_of_an_undisturbed_one(undisturbed, tmp_path):
    folder = tmp_path / "checkpoints"
    here = Path(__file__).parent
    code = KILLED.format(paths=[str(here), str(here.parent)], folder=str(folder))
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
    train = recipe(epochs=2, optimizer="muon", schedule="constant", learning_rate=0.01)
    folder = tmp_path / "whole"
    whole = trained(folder, train, watch=copying(folder, tmp_path))
    again = trained(tmp_path / "1", train)
    assert again.history == whole.history
    assert digest(again.model, tmp_path) == digest(whole.model, tmp_path)
    other = trained(
        tmp_path / "other", train.model_copy(update={"epochs": 1, "optimizer": "adamw"})
    )
    assert other.history[0]["loss"] != whole.history[0]["loss"]


def test_finished_training_is_not_repeated(undisturbed, tmp_path):
    again = trained(
        undisturbed.checkpoints,
        recipe(early_stopping=2),
        watch=lambda history: pytest.fail("trained again"),
    )
    assert again.history == undisturbed.history
    assert digest(again.model, tmp_path) == undisturbed.digest


def test_history_has_the_figures_of_the_returned_model(undisturbed):
    validation = made_faces(24, seed=9)
    probabilities = undisturbed.model.predict(validation.images, verbose=0).astype(float)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    found = probabilities.argmax(axis=1)
    best = min(undisturbed.history, key=lambda row: row["val_loss"])
    assert best["val_accuracy"] == pytest.approx((found == validation.labels).mean())
    loss = log_loss(validation.labels, probabilities, labels=range(len(CLASSES)))
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


def test_lost_loss_is_named_with_its_epoch_and_what_to_try(tmp_path):
    with pytest.raises(TrainingError, match=r"epoch 1: the loss is \w+; lower train.learning_rate"):
        trained(tmp_path, recipe(learning_rate=1e30, schedule="constant", warmup_epochs=0))
    assert not (tmp_path / "state.json").exists()


def test_half_precision_trains_and_returns_float32(tmp_path):
    result = trained(tmp_path, recipe(epochs=1, warmup_epochs=0, precision="mixed_bfloat16"))
    assert {str(weight.dtype) for weight in result.model.weights} == {"float32"}
    assert result.model.compute_dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"


def test_images_are_learnt_by_heart_down_to_the_loss_that_smoothing_leaves(tmp_path):
    """The entropy of the smoothed target is the least that either loss can be."""
    smoothing = 0.4
    train = recipe(epochs=15, mixup=0, label_smoothing=smoothing, learning_rate=0.005)
    faces = made_faces(32)
    spec = {"arch": "compact", "width": 0.25, "classes": list(CLASSES), "image_size": 48}
    history = fit(
        spec, faces, faces, train=train, augment=STILL, seed=0, checkpoints=tmp_path
    ).history
    target = np.full(4, smoothing / 4) + np.array([1 - smoothing, 0, 0, 0])
    entropy = -(target * np.log(target)).sum()
    assert all(row["loss"] > entropy - 1e-5 for row in history)
    assert entropy - 1e-5 < history[-1]["val_loss"] < entropy + 0.3
    assert history[-1]["val_accuracy"] == 1
