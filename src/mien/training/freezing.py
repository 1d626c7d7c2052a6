"""Which layers of a net with trained weights learn when, and how fast: the head before the rest."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from mien.models.transfer import trunk

# Share of the epochs in which the head alone learns, where a number of layers learns after it.
HEAD_SHARE = 0.25
# Afterwards the learning rate is this part of the schedule's: trained weights need small steps.
FINE = 0.1
# Of batch normalisation that goes on learning: it forgets the faces of the start in some 50 steps.
MOMENTUM = 0.95


def head_epochs(epochs: int, unfreeze: int | None) -> int:
    """Return how many of the first epochs train the head alone.

    Args:
        epochs: of the whole training.
        unfreeze: number of layers that learn afterwards, with 0 none ever; None: all, after one
            epoch.
    """
    if unfreeze is None:
        return min(1, epochs - 1)
    return max(1, round(HEAD_SHARE * epochs)) if unfreeze else epochs


def freeze(model: keras.Model, learning: int) -> None:
    """Let the head and the last `learning` layers of the trunk below it learn, no others.

    Batch normalisation never thaws: with a face data set's small batches it would lose the
    statistics that the trained weights rely on. Frozen, it runs in inference mode.
    """
    below = trunk(model)
    for place, layer in enumerate(below):
        batch_norm = isinstance(layer, layers.BatchNormalization)
        layer.trainable = place >= len(below) - learning and not batch_norm


def thaw(model: keras.Model) -> None:
    """Let every layer learn; batch normalisation takes on the statistics of the training faces."""
    for layer in trunk(model):
        layer.trainable = True
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = MOMENTUM


def slow_down(
    optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable], factor: float
) -> None:
    """Let the optimiser take `factor` of its rate, and so of its decay, for some variables.

    Args:
        optimizer: built; its `update_step` alone would not do: torch's steps are of many variables.
        variables: those that learn more slowly.
        factor: above 0, at most 1.
    """
    slow = {id(variable) for variable in variables}
    step, decay = optimizer._backend_update_step, optimizer._apply_weight_decay

    def update(gradients: Sequence[Any], learning: Sequence[keras.Variable], rate: Any) -> None:
        for chosen, share in ((True, factor), (False, 1.0)):
            part = [
                pair
                for pair in zip(gradients, learning, strict=True)
                if (id(pair[1]) in slow) == chosen
            ]
            if part:
                step(*map(list, zip(*part, strict=True)), rate * share)

    def decayed(learning: Sequence[keras.Variable]) -> None:
        whole = optimizer.weight_decay
        if whole is None:
            return
        decay([variable for variable in learning if id(variable) not in slow])
        optimizer.weight_decay = whole * factor
        decay([variable for variable in learning if id(variable) in slow])
        optimizer.weight_decay = whole

    optimizer._backend_update_step, optimizer._apply_weight_decay = update, decayed
