"""`compact`: a small residual net that is exact about light and cheap on a CPU."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from mien.models.parts import channels, grey_input, probabilities


def compact(spec: Mapping[str, Any]) -> keras.Model:
    """Return a residual net with squeeze-and-excitation, of 64 and 128 channels.

    He et al. 2016, arXiv:1512.03385; Hu et al. 2018, arXiv:1709.01507. Each image is brought to
    mean 0 and variance 1, so that light and contrast cost no capacity, and the first
    convolution halves it, so that none works at full resolution.
    """
    inputs, x = grey_input(spec)
    x = layers.GroupNormalization(groups=1, center=False, scale=False, epsilon=1e-4)(x)
    x = _convolution(x, channels(24, spec), strides=2)
    x = _convolution(x, channels(32, spec))
    for width in (64, 128):
        x = _convolution(layers.MaxPooling2D()(x), channels(width, spec))
        x = _squeeze_excite(layers.Add()([x, _convolution(x, x.shape[-1])]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, probabilities(x, spec, dropout=0.3), name="compact")


def _convolution(x: keras.KerasTensor, width: int, strides: int = 1) -> keras.KerasTensor:
    x = layers.Conv2D(
        width,
        3,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )(x)
    # 0.9: a run of a few hundred steps is too short for Keras' 0.99.
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def _squeeze_excite(x: keras.KerasTensor) -> keras.KerasTensor:
    """Return `x` with each channel weighted by what the whole image says of it."""
    width = x.shape[-1]
    weights = layers.GlobalAveragePooling2D(keepdims=True)(x)
    weights = layers.Dense(max(1, width // 8), activation="relu")(weights)
    weights = layers.Dense(width, activation="sigmoid")(weights)
    return layers.Multiply()([x, weights])
