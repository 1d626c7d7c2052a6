"""`two_conv`: two plain convolutions and a dense layer."""

import keras
from keras import layers

from mien.models.blocks import channels, conv_pool_stages, probabilities

SOURCE = "this project"


def build(
    size: int,
    classes: int,
    *,
    width: float = 1.0,
    dropout: float = 0.25,
    attention: str = "none",
    kernel: int = 3,
    dense: int = 128,
) -> keras.Model:
    """Return two convolutions of 32 and 64 channels and a dense layer of 128."""
    inputs, x = conv_pool_stages((32, 64), size, width, kernel, attention)
    x = layers.Dense(channels(dense, width), activation="relu")(x)
    return keras.Model(inputs, probabilities(x, classes, dropout), name="two_conv")
