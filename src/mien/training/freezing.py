"""Which layers of a transfer network are trained when: first the head, then the last layers."""

import keras
from keras import layers

# Fraction of the epochs in which only the head is trained.
HEAD_SHARE = 0.25
# Afterwards the schedule's learning rate is multiplied by this: pretrained weights need small
# steps.
FINE = 0.1


def head_epochs(epochs: int, unfreeze: int) -> int:
    """Return the number of epochs that train only the head: all if `unfreeze` is 0."""
    return max(1, round(HEAD_SHARE * epochs)) if unfreeze else epochs


def freeze(model: keras.Model, learning: int) -> None:
    """Make the head and the last `learning` layers of the network below it trainable, no others.

    Batch normalisation stays frozen: in small batches of faces it would lose the statistics that
    the pretrained weights depend on. When frozen, it runs in inference mode.
    """
    below = model.get_layer("backbone").layers
    for place, layer in enumerate(below):
        batch_norm = isinstance(layer, layers.BatchNormalization)
        layer.trainable = place >= len(below) - learning and not batch_norm
