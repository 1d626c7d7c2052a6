"""`vgg`: a narrow VGG with batch normalisation for small faces."""

import keras
from keras import layers

from mien.models.blocks import channels, double_conv_stages, probabilities

SOURCE = "narrow, after Simonyan & Zisserman 2015"


def build(
    size: int,
    classes: int,
    *,
    width: float = 1.0,
    dropout: float = 0.25,
    attention: str = "none",
    depth: int = 4,
    kernel: int = 3,
    dense: int = 256,
) -> keras.Model:
    """Return a narrow VGG (Simonyan & Zisserman 2015) with BatchNorm, for small faces.

    It has `depth` stages of two convolutions with 32, 64, 128 … channels: half as many as in
    Khaireddin & Chen 2021 (arXiv:2105.03588).
    """
    counts = tuple(32 * 2**stage for stage in range(depth))
    inputs, x = double_conv_stages(counts, size, width, kernel, attention, dropout=0.1)
    x = layers.Dense(channels(dense, width), activation="relu")(x)
    return keras.Model(inputs, probabilities(x, classes, dropout), name="vgg")
