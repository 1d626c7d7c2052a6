"""`deep_cnn`: six convolutions with batch normalisation."""

import keras
from keras import layers

from mien.models.blocks import channels, double_conv_stages, probabilities

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
    """Return six convolutions with BatchNorm in pairs of 32, 64 and 128 channels.

    Max-pooling and `dropout` follow each pair; then comes a dense layer of 128.
    """
    inputs, x = double_conv_stages((32, 64, 128), size, width, kernel, attention, dropout)
    x = layers.Dense(channels(dense, width), activation="relu")(x)
    return keras.Model(inputs, probabilities(x, classes, dropout), name="deep_cnn")
