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
from mien.models import tta
from mien.models.face_weights import restandardise
from mien.models.transfer import leaves
from mien.models.weights import Pretrained, place
from mien.params import Augment, Train
from mien.training import checkpoint, schedule
from mien.training.averaging import Average
from mien.training.batches import Batches
from mien.training.checkpoint import TrainingState
from mien.training.freezing import FINE, freeze, head_epochs, slow_down, thaw
from mien.training.muon import Muon
from mien.training.normalization import fuse
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
    `mien.training.freezing`: only its head for one epoch at the full learning rate; then all
    layers, with a new optimiser and a schedule that starts again with its warm-up, the pretrained
    ones at `train.trunk_rate` times the rate. If the head is pretrained, too, there is no first
    phase. If the spec's `unfreeze` is a number, only the head is trained for the first quarter of
    the epochs, then also the last `unfreeze` layers, at a tenth of the learning rate.

    Args:
        spec: see `mien.models`.
        training: training images.
        validation: images on which each epoch is measured.
        train: section `train` of params.
        augment: augmentation, if its `each_epoch` is set.
        seed: seed of the initial weights, the order, the augmentation and the dropout.
        checkpoints: folder of this training only: same arguments, same folder.
        pretrained: weights that the network starts from.
        watch: called with the history after each epoch, once its checkpoint is saved.
        title: name of an epoch in progress messages.

    Raises:
        TrainingError: the loss is no longer a number.
    """
    train = with_default_rate(train, spec)
    # On one device, as it is used later; it is also used to measure each epoch.
    trained = models.build(spec, seed)
    model = models.build(spec, seed, train.precision, train.devices)
    fuse(model)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=train.label_smoothing)
    phases = _Phases(train, spec.get("unfreeze"), pretrained, model)
    finished = checkpoint.finished(checkpoints)
    if pretrained:
        place(pretrained, model)
        if pretrained.merged and not finished:
            restandardise(model, training.images)
    with models.spread(train.devices):
        # The checkpoint contains the optimiser of the phase in which it was written.
        phases.begin(model, loss, max(0, finished - 1))
    state = checkpoint.load(checkpoints, model)
    with models.spread(train.devices):
        # Once for all epochs, as its step is compiled.
        average = Average(state.average, model) if train.ema else None
    while not schedule.finished(state.losses, train):
        started = time.monotonic()
        epoch = len(state.history)
        name = f"{title} {epoch + 1}/{train.epochs}"
        batches = Batches(
            training, train.batch_size, train.mixup, augment, seed, epoch, train.devices
        )
        with models.spread(train.devices):
            if 0 < epoch == phases.head:
                phases.begin(model, loss, epoch)
            _seed_generators(model, seed, epoch)
            steps = _Steps(state, phases, len(batches), name, average)
            logs = model.fit(batches, shuffle=False, verbose=0, callbacks=[steps]).history
        row = {"epoch": epoch + 1, "loss": logs["loss"][0], "accuracy": logs["accuracy"][0]}
        _check(row, train)
        state.average = average.arrays() if average else model.get_weights()
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


class _Phases:
    """Which layers are trained in which epoch, and at what learning rate."""

    def __init__(
        self,
        train: Train,
        unfreeze: int | None,
        pretrained: Pretrained | None,
        model: keras.Model,
    ) -> None:
        self.train, self._unfreeze, self._pretrained = train, unfreeze, pretrained
        # Number of epochs that train only the head.
        self.head = head_epochs(train.epochs, unfreeze) if pretrained else 0
        if pretrained and unfreeze is None:
            new = [x for x in leaves(model) if x.weights and x.name not in pretrained.layers]
            self.head = self.head if new else 0

    def begin(self, model: keras.Model, loss: keras.losses.Loss, epoch: int) -> None:
        """Set which layers are trained in `epoch`, from 0, and compile with a new optimiser."""
        if self._pretrained:
            if epoch < self.head:
                freeze(model, 0)
            elif self._unfreeze is None:
                thaw(model)
            else:
                freeze(model, self._unfreeze)
        optimizer = _compile(model, loss, self.train)
        factor = self.train.trunk_rate
        if self._pretrained and self._unfreeze is None and factor != 1:
            known = [x for x in leaves(model) if x.name in self._pretrained.layers]
            slow_down(optimizer, [v for x in known for v in x.trainable_weights], factor)

    def rate(self, epoch: int, batch: int, steps: int, losses: list[float]) -> float:
        """Return the learning rate of one of the `steps` of an epoch."""
        if not self._pretrained or self._unfreeze is not None:
            step = epoch * steps + batch
            rate = schedule.learning_rate(step, steps, losses, self.train)
            return rate * (FINE if self._pretrained and epoch >= self.head else 1)
        if epoch < self.head:
            return self.train.learning_rate
        rest = self.train.model_copy(update={"epochs": self.train.epochs - self.head})
        step = (epoch - self.head) * steps + batch
        return schedule.learning_rate(step, steps, losses[self.head :], rest)


def _compile(
    model: keras.Model, loss: keras.losses.Loss, train: Train
) -> keras.optimizers.Optimizer:
    """Compile the model with a new optimiser for its trainable weights, and return that.

    In half precision the model's optimiser is another one, which wraps it and scales the loss.
    """
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
    return optimizer


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
        self,
        state: TrainingState,
        phases: _Phases,
        steps: int,
        name: str,
        average: Average | None,
    ) -> None:
        super().__init__()
        self._phases, self._train = phases, phases.train
        self._epoch, self._steps, self._losses = len(state.history), steps, state.losses
        self._average = average
        self._bar = tqdm(total=steps, desc=name, leave=False, disable=None, file=sys.stderr)
        self.rate = self._train.learning_rate

    def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
        self.rate = self._phases.rate(self._epoch, batch, self._steps, self._losses)
        self.model.optimizer.learning_rate = self.rate

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        self._bar.update()
        if self._average:
            step = self._epoch * self._steps + batch
            # Otherwise the average would stay near the random initial weights for long.
            momentum = min(self._train.ema, (1 + step) / (10 + step))
            self._average.update(momentum)

    def on_train_end(self, logs: object = None) -> None:
        self._bar.close()


def _check(row: Mapping[str, float], train: Train) -> None:
    if not math.isfinite(row["loss"]):
        raise TrainingError(
            f"epoch {row['epoch']}: the loss is {row['loss']}; lower train.learning_rate "
            f"({train.learning_rate:g}), raise train.warmup_epochs ({train.warmup_epochs:g})"
            + ("" if train.precision == "float32" else " or set train.precision to float32")
        )


def _measured(model: keras.Model, faces: Faces, loss: keras.losses.Loss) -> dict[str, float]:
    probabilities = tta.predict(model, faces.images, "none", "validation")
    targets = np.eye(len(faces.classes), dtype=np.float32)[faces.labels]
    values = measure(faces.labels, probabilities, faces.classes)
    return {"val_loss": float(loss(targets, probabilities))} | {
        f"val_{name}": float(values[name]) for name in MEASURED
    }
