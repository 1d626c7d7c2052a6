"""`compact`: a small residual net that is exact about light and cheap on a CPU."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from mien.models.parts import channels, grey_input, probabilities


def compact(spec: Mapping[str, Any]) -> keras.Model:
    """Return a residual net (He et al. 2016) of 64 and 128 channels.

    Each image is brought to mean 0 and variance 1, so that light and contrast cost no capacity.
    A stem of stride 4 keeps the full resolution out of the expensive layers.
    """
    inputs, x = grey_input(spec)
    x = layers.GroupNormalization(groups=1, center=False, scale=False, epsilon=1e-4)(x)
    x = _convolution(x, channels(32, spec), kernel=5, strides=2)
    x = layers.MaxPooling2D()(x)
    x = _residual(_convolution(x, channels(64, spec)))
    x = layers.MaxPooling2D()(x)
    x = _residual(_convolution(x, channels(128, spec)))
    # Not averaged over places: faces are aligned, so where a feature lies says what it is.
    x = layers.Flatten()(x)
    # From zero: thousands of features would else begin with large logits, which cost an epoch.
    outputs = probabilities(x, spec, dropout=0.2, initializer="zeros")
    return keras.Model(inputs, outputs, name="compact")


def _convolution(
    x: keras.KerasTensor, width: int, kernel: int = 3, strides: int = 1
) -> keras.KerasTensor:
    x = layers.Conv2D(
        width,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )(x)
    # 0.9: a run of a few hundred steps is too short for Keras' 0.99.
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def _residual(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.Add()([x, _convolution(x, x.shape[-1])])
