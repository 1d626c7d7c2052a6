"""The learning rate schedule and early stopping."""

import math
from collections.abc import Sequence

from mien.params import Train

# The plateau schedule halves the learning rate after this many epochs without a lower loss.
PLATEAU_PATIENCE = 3
PLATEAU_FACTOR = 0.5


def learning_rate(step: int, steps_per_epoch: int, losses: Sequence[float], train: Train) -> float:
    """Return the learning rate of one step.

    It rises linearly over `train.warmup_epochs` to `train.learning_rate`. Then it stays constant,
    falls along half a cosine to 0 at the end, or is halved at each plateau.

    Args:
        step: counted from 0 over the whole training.
        steps_per_epoch: batches in an epoch.
        losses: validation losses of the finished epochs.
        train: schedule, learning rate, warm-up and epochs.
    """
    warmup = round(min(train.warmup_epochs, train.epochs) * steps_per_epoch)
    if step < warmup:
        return train.learning_rate * (step + 1) / warmup
    if train.schedule == "cosine":
        done = (step - warmup) / (train.epochs * steps_per_epoch - warmup)
        return train.learning_rate * (1 + math.cos(math.pi * done)) / 2
    if train.schedule == "plateau":
        return train.learning_rate * PLATEAU_FACTOR ** plateaus(losses)
    return train.learning_rate


def plateaus(losses: Sequence[float]) -> int:
    """Return how often PLATEAU_PATIENCE consecutive epochs had no lower loss."""
    lowest, waited, count = math.inf, 0, 0
    for loss in losses:
        waited = 0 if loss < lowest else waited + 1
        lowest = min(lowest, loss)
        if waited == PLATEAU_PATIENCE:
            waited, count = 0, count + 1
    return count


def best_epoch(losses: Sequence[float]) -> int:
    """Return the first epoch, counted from 0, with the lowest loss."""
    return min(range(len(losses)), key=losses.__getitem__)


def finished(losses: Sequence[float], train: Train) -> bool:
    """Return whether all epochs have run or early stopping ends the training."""
    if len(losses) >= train.epochs:
        return True
    patience = train.early_stopping
    return 0 < patience <= len(losses) - 1 - best_epoch(losses) if losses else False
