"""Which layers of a transfer net learn when: the head first, then the network's last layers."""

import keras
from keras import layers

# Share of the epochs in which the head alone learns.
HEAD_SHARE = 0.25
# Afterwards the learning rate is this part of the schedule's: trained weights need small steps.
FINE = 0.1


def head_epochs(epochs: int, unfreeze: int) -> int:
    """Return how many of the first epochs train the head alone: all if nothing thaws later."""
    return max(1, round(HEAD_SHARE * epochs)) if unfreeze else epochs


def freeze(model: keras.Model, learning: int) -> None:
    """Let the head and the last `learning` layers of the network below it learn, no others.

    Batch normalisation never thaws: with a face data set's small batches it would lose the
    statistics that the trained weights rely on. Frozen, it runs in inference mode.
    """
    below = model.get_layer("backbone").layers
    for place, layer in enumerate(below):
        batch_norm = isinstance(layer, layers.BatchNormalization)
        layer.trainable = place >= len(below) - learning and not batch_norm
