"""`complex_cnn`: ten convolutions, as large as the networks of Keras."""

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
    dense: int = 256,
) -> keras.Model:
    """Return five blocks of two convolutions, 64 to 512 channels: as large as transfer networks.

    Max-pooling and `dropout` follow each block; then comes a dense layer of 256.
    """
    inputs, x = double_conv_stages(
        (64, 128, 256, 512, 512), size, width, kernel, attention, dropout
    )
    x = layers.Dense(channels(dense, width), activation="relu")(x)
    return keras.Model(inputs, probabilities(x, classes, dropout), name="complex_cnn")
