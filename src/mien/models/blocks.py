"""Inputs, outputs and common blocks of the architectures."""

import keras
from keras import layers

from mien.models.attention import attend


def channels(count: int, width: float) -> int:
    """Return `count` times `width`, rounded, at least 1."""
    return max(1, round(count * width))


def grey_input(size: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input, (N, S, S), 0 to 255, and the same as (N, S, S, 1)."""
    inputs = keras.Input((size, size), dtype="float32", name="faces")
    return inputs, layers.Reshape((size, size, 1))(inputs)


def scaled_input(size: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input, (N, S, S), 0 to 255, and the same as (N, S, S, 1), -1 to 1."""
    inputs, x = grey_input(size)
    return inputs, layers.Rescaling(1 / 127.5, offset=-1)(x)


def standardised_input(size: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input, (N, S, S), 0 to 255, and each image at mean 0 and variance 1, with axis C.

    The network then need not learn to ignore brightness and contrast.
    """
    inputs, x = scaled_input(size)
    return inputs, layers.GroupNormalization(groups=1, center=False, scale=False, epsilon=1e-4)(x)


def convolution(
    x: keras.KerasTensor, width: int, kernel: int = 3, strides: int = 1, activation: str = "relu"
) -> keras.KerasTensor:
    """Return `x` after convolution, batch normalisation and activation, in this order."""
    x = layers.Conv2D(
        width,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )(x)
    # 0.9: a run of a few hundred steps is too short for Keras' 0.99.
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.Activation(activation)(x)


def halved(x: keras.KerasTensor) -> keras.KerasTensor:
    """Return `x` max-pooled to half its side, rounded up, so that any depth fits any image."""
    return layers.MaxPooling2D(padding="same")(x)


def probabilities(features: keras.KerasTensor, classes: int, dropout: float) -> keras.KerasTensor:
    """Return float32 class probabilities, (N, C), from features, (N, F).

    Args:
        features: the last hidden layer.
        classes: C.
        dropout: fraction of the features that a training step drops.
    """
    x = layers.Dropout(dropout)(features)
    return layers.Dense(
        classes,
        activation="softmax",
        # Also under mixed precision: a softmax in half precision is inaccurate near 0 and 1.
        dtype="float32",
    )(x)


def conv_pool_stages(
    counts: tuple[int, ...], size: int, width: float, kernel: int, attention: str
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input and flat features after convolutions, each followed by max-pooling."""
    inputs, x = scaled_input(size)
    for stage, count in enumerate(counts, start=1):
        x = layers.Conv2D(channels(count, width), kernel, padding="same", activation="relu")(x)
        x = attend(layers.MaxPooling2D()(x), attention, stage, len(counts))
    return inputs, layers.Flatten()(x)


def double_conv_stages(
    counts: tuple[int, ...], size: int, width: float, kernel: int, attention: str, dropout: float
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input and flat features after blocks of two convolutions, pool and dropout."""
    inputs, x = scaled_input(size)
    for stage, count in enumerate(counts, start=1):
        for _ in range(2):
            x = convolution(x, channels(count, width), kernel)
        x = attend(halved(x), attention, stage, len(counts))
        x = layers.Dropout(dropout)(x)
    return inputs, layers.Flatten()(x)
