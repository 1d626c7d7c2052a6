"""Which layers of a pretrained network are trained when, and how fast: first the head."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from mien.models.transfer import trunk

# Fraction of the epochs in which only the head is trained, if `unfreeze` is a number.
HEAD_SHARE = 0.25
# Afterwards the schedule's learning rate is multiplied by this: pretrained weights need small
# steps.
FINE = 0.1
# Momentum of batch normalisation that is trained: old statistics fade within some 50 steps.
MOMENTUM = 0.95


def head_epochs(epochs: int, unfreeze: int | None) -> int:
    """Return the number of epochs that train only the head: all if `unfreeze` is 0.

    Args:
        epochs: epochs of the whole training.
        unfreeze: number of layers that are trained afterwards; None: all, after one epoch.
    """
    if unfreeze is None:
        return min(1, epochs - 1)
    return max(1, round(HEAD_SHARE * epochs)) if unfreeze else epochs


def freeze(model: keras.Model, learning: int) -> None:
    """Make the head and the last `learning` layers of the network below it trainable, no others.

    Batch normalisation stays frozen: in small batches of faces it would lose the statistics that
    the pretrained weights depend on. When frozen, it runs in inference mode.
    """
    below = trunk(model)
    for place, layer in enumerate(below):
        batch_norm = isinstance(layer, layers.BatchNormalization)
        layer.trainable = place >= len(below) - learning and not batch_norm


def thaw(model: keras.Model) -> None:
    """Make every layer trainable; batch normalisation adapts to the training images."""
    for layer in trunk(model):
        layer.trainable = True
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = MOMENTUM


def slow_down(
    optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable], factor: float
) -> None:
    """Multiply the optimiser's learning rate and weight decay by `factor` for some variables.

    Args:
        optimizer: built; replacing its `update_step` is not enough, as torch updates many variables
            in one step.
        variables: the variables that are trained more slowly.
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
