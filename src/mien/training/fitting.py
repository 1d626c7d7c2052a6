"""Training of one model; a resumed run gives the same bytes as an uninterrupted one.

All random draws derive from (seed, epoch, batch), and the complete state between two epochs is in
the checkpoint.
"""

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from mien import models
from mien.errors import TrainingError
from mien.faces import Faces
from mien.metrics import measure
from mien.models.weights import Pretrained, place
from mien.params import Augment, Train
from mien.training import checkpoint, schedule
from mien.training.batches import Batches
from mien.training.checkpoint import TrainingState
from mien.training.freezing import FINE, freeze, head_epochs
from mien.training.muon import Muon
from mien.training.recipe import with_default_rate

History = list[dict[str, float]]
# The metrics that are computed on validation after every epoch.
MEASURED = ("accuracy", "macro_f1", "roc_auc", "log_loss")


@dataclass(frozen=True)
class Trained:
    """A trained model and its history.

    Attributes:
        model: not compiled, in float32.
        history: a row for each epoch: epoch (from 1), loss and accuracy (on augmented training
            images), val_loss, val_accuracy, val_macro_f1, val_roc_auc and val_log_loss (with
            the averaged weights) and learning_rate (of the epoch's last step). `loss` and
            `val_loss` use the same label smoothing, `val_log_loss` none.
        seconds: duration of the epochs over all attempts; no output of the pipeline contains it.
    """

    model: keras.Model
    history: History
    seconds: float


def fit(
    spec: Mapping[str, Any],
    training: Faces,
    validation: Faces,
    *,
    train: Train,
    augment: Augment,
    seed: int,
    checkpoints: Path,
    pretrained: Pretrained | None = None,
    watch: Callable[[History], None] = lambda history: None,
    title: str = "epoch",
) -> Trained:
    """Train the model of `spec`, resuming from the checkpoint if there is one.

    The model's weights are the moving average (`train.ema`) after the last epoch or, with
    early stopping, after the epoch with the lowest validation loss.

    A network that starts from pretrained weights is trained in two phases, see
    `mien.training.freezing`: only its head for the first quarter of the epochs, then also the last
    `unfreeze` layers, with a new optimiser at a tenth of the learning rate.

    Args:
        spec: see `mien.models`.
        training: training images.
        validation: images on which each epoch is measured.
        train: section `train` of params.
        augment: augmentation, if its `each_epoch` is set.
        seed: seed of the initial weights, the order, the augmentation and the dropout.
        checkpoints: folder of this training only: same arguments, same folder.
        pretrained: weights that a transfer network starts from.
        watch: called with the history after each epoch, once its checkpoint is saved.
        title: name of an epoch in progress messages.

    Raises:
        TrainingError: the loss is no longer a number.
    """
    train = with_default_rate(train, spec)
    # On one device, as it is used later; it is also used to measure each epoch.
    trained = models.build(spec, seed)
    model = models.build(spec, seed, train.precision, train.devices)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=train.label_smoothing)
    thaw, unfreeze = train.epochs, spec.get("unfreeze", 0)
    if pretrained:
        place(pretrained, model)
        thaw = head_epochs(train.epochs, unfreeze)
        # The checkpoint contains the optimiser of the phase in which it was written.
        freeze(model, 0 if checkpoint.finished(checkpoints) <= thaw else unfreeze)
    with models.spread(train.devices):
        _compile(model, loss, train)
    state = checkpoint.load(checkpoints, model)
    while not schedule.finished(state.losses, train):
        started = time.monotonic()
        epoch = len(state.history)
        name = f"{title} {epoch + 1}/{train.epochs}"
        batches = Batches(
            training, train.batch_size, train.mixup, augment, seed, epoch, train.devices
        )
        with models.spread(train.devices):
            if epoch == thaw:
                freeze(model, unfreeze)
                _compile(model, loss, train)
            _seed_generators(model, seed, epoch)
            steps = _Steps(state, train, len(batches), name, FINE if epoch >= thaw else 1.0)
            logs = model.fit(batches, shuffle=False, verbose=0, callbacks=[steps]).history
        row = {"epoch": epoch + 1, "loss": logs["loss"][0], "accuracy": logs["accuracy"][0]}
        _check(row, train)
        state.average = steps.average(model)
        trained.set_weights(state.average)
        row |= _measured(trained, validation, loss)
        state.history.append(row | {"learning_rate": steps.rate})
        if train.early_stopping and schedule.best_epoch(state.losses) == epoch:
            state.best = state.average
        seconds = time.monotonic() - started
        state.seconds += seconds
        checkpoint.save(checkpoints, model, state)
        print(
            f"{name}  loss {row['loss']:.4f}  val accuracy {row['val_accuracy']:.4f}  "
            f"macro F1 {row['val_macro_f1']:.4f}  {seconds:.1f} s",
            file=sys.stderr,
            flush=True,
        )
        watch(state.history)
    trained.set_weights(state.best or state.average)
    return Trained(trained, state.history, state.seconds)


def _compile(model: keras.Model, loss: keras.losses.Loss, train: Train) -> None:
    """Compile the model with a new optimiser for its trainable weights."""
    rate, decay = train.learning_rate, train.weight_decay
    if train.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(rate, weight_decay=decay)
    elif train.optimizer == "muon":
        optimizer = Muon(rate, weight_decay=decay, adam_weight_decay=decay)
    elif train.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=decay)
    else:
        optimizer = keras.optimizers.Adam(rate)
    if train.optimizer != "adam":
        optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
    model.compile(optimizer, loss, metrics=[accuracy])
    # A checkpoint can only be loaded into an optimiser that is built.
    model.optimizer.build(model.trainable_variables)


def _seed_generators(model: keras.Model, seed: int, epoch: int) -> None:
    """Set the state of every random layer, which weights files lack, from (seed, epoch)."""
    weights = {id(variable) for variable in model.weights}
    generators = [variable for variable in model.variables if id(variable) not in weights]
    states = np.random.SeedSequence((seed, epoch)).generate_state(2 * len(generators))
    for generator, state in zip(generators, states.reshape(-1, 2), strict=True):
        generator.assign(state)


class _Steps(keras.callbacks.Callback):
    """Sets the learning rate before each step and averages the weights after it."""

    def __init__(
        self, state: TrainingState, train: Train, steps: int, name: str, factor: float
    ) -> None:
        super().__init__()
        self._factor = factor
        self._train, self._steps, self._losses = train, steps, state.losses
        self._first = len(state.history) * steps
        self._average = [np.array(array) for array in state.average]
        self._bar = tqdm(total=steps, desc=name, leave=False, disable=None, file=sys.stderr)
        self.rate = train.learning_rate

    def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
        step = self._first + batch
        rate = schedule.learning_rate(step, self._steps, self._losses, self._train)
        self.rate = self._factor * rate
        self.model.optimizer.learning_rate = self.rate

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        self._bar.update()
        if self._train.ema:
            step = self._first + batch
            # Otherwise the average would stay near the random initial weights for long.
            momentum = min(self._train.ema, (1 + step) / (10 + step))
            # In NumPy: with single operations of the backend it took a fifth of a step's time.
            for average, weight in zip(self._average, self.model.weights, strict=True):
                now = keras.ops.convert_to_numpy(weight)
                average[...] = average + (1 - momentum) * (now - average)

    def on_train_end(self, logs: object = None) -> None:
        self._bar.close()

    def average(self, model: keras.Model) -> list[np.ndarray]:
        """Return the weights' moving average, or the weights if `train.ema` is 0."""
        if not self._train.ema:
            return model.get_weights()
        return self._average


def _check(row: Mapping[str, float], train: Train) -> None:
    if not math.isfinite(row["loss"]):
        raise TrainingError(
            f"epoch {row['epoch']}: the loss is {row['loss']}; lower train.learning_rate "
            f"({train.learning_rate:g}), raise train.warmup_epochs ({train.warmup_epochs:g})"
            + ("" if train.precision == "float32" else " or set train.precision to float32")
        )


def _measured(model: keras.Model, faces: Faces, loss: keras.losses.Loss) -> dict[str, float]:
    probabilities = model.predict(faces.images, batch_size=256, verbose=0)
    targets = np.eye(len(faces.classes), dtype=np.float32)[faces.labels]
    values = measure(faces.labels, probabilities, faces.classes)
    return {"val_loss": float(loss(targets, probabilities))} | {
        f"val_{name}": float(values[name]) for name in MEASURED
    }
