"""`seed_cnn`: four plain convolutions, the first network of this project."""

import keras
from keras import layers

from mien.models.attention import attend
from mien.models.blocks import channels, probabilities, scaled_input

SOURCE = "this project's first net"
# Without batch normalisation a network may stay at chance at the default rate.
LEARNING_RATE = 0.0005


def build(
    size: int,
    classes: int,
    *,
    width: float = 1.0,
    dropout: float = 0.25,
    attention: str = "none",
    kernel: int = 7,
    dense: int = 64,
) -> keras.Model:
    """Return four convolutions of 64, 128, 128 and 256 channels and a dense layer of 64.

    `kernel` is the kernel size of the first convolution; the others have 3.
    """
    inputs, x = scaled_input(size)
    x = layers.Conv2D(channels(64, width), kernel, padding="same", activation="relu")(x)
    x = attend(layers.MaxPooling2D()(x), attention, 1, 3)
    x = layers.Conv2D(channels(128, width), 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(channels(128, width), 3, padding="same", activation="relu")(x)
    x = attend(layers.MaxPooling2D()(x), attention, 2, 3)
    x = layers.Conv2D(channels(256, width), 3, padding="same", activation="relu")(x)
    x = attend(layers.MaxPooling2D()(x), attention, 3, 3)
    x = layers.Dense(channels(dense, width), activation="relu")(layers.Flatten()(x))
    return keras.Model(inputs, probabilities(x, classes, dropout), name="seed_cnn")
