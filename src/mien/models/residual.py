"""Residual nets for small faces; called like those in `mien.models.convolutional`."""

import keras
from keras import layers

from mien.models.attention import attend
from mien.models.parts import (
    channels,
    convolution,
    halved,
    probabilities,
    scaled_input,
    standardised_input,
)


def resnet(
    size: int,
    classes: int,
    *,
    width: float = 1.0,
    dropout: float = 0.2,
    attention: str = "none",
    depth: int = 2,
    kernel: int = 3,
) -> keras.Model:
    """Return a narrow residual net of 32, 64 and 128 channels, `depth` blocks of each.

    The form that He et al. 2016 (arXiv:1512.03385, section 4.2) use for 32 × 32 images. With
    attention, it comes before each sum (Hu et al. 2018).
    """
    inputs, x = scaled_input(size)
    x = convolution(x, channels(32, width), kernel)
    for stage, count in enumerate((32, 64, 128), start=1):
        for block in range(depth):
            strides = 2 if stage > 1 and block == 0 else 1
            last = stage if block == depth - 1 else 0
            x = _block(x, channels(count, width), kernel, strides, attention, last)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, probabilities(x, classes, dropout), name="resnet")


def _block(
    x: keras.KerasTensor, width: int, kernel: int, strides: int, attention: str, stage: int
) -> keras.KerasTensor:
    """Return a basic block's output; `stage` is not 0 in a stage's last one, which attends."""
    inner = convolution(x, width, kernel, strides)
    inner = convolution(inner, width, kernel, activation="linear")
    if stage:
        inner = attend(inner, attention, stage, 3)
    if strides > 1 or x.shape[-1] != width:
        x = convolution(x, width, 1, strides, activation="linear")
    return layers.ReLU()(layers.Add()([x, inner]))


def se_resnet(
    size: int,
    classes: int,
    *,
    width: float = 1.0,
    dropout: float = 0.3,
    attention: str = "se",
    depth: int = 1,
    kernel: int = 3,
) -> keras.Model:
    """Return a residual net with squeeze-and-excitation, of 64, 128 and 256 channels.

    He et al. 2016, arXiv:1512.03385; Hu et al. 2018, arXiv:1709.01507. As `compact`, it brings
    each image to mean 0 and variance 1 and has `depth` residual convolutions in each stage, but
    its first convolution, of 32 channels, sees every pixel.
    """
    inputs, x = standardised_input(size)
    x = convolution(x, channels(32, width), kernel)
    for stage, count in enumerate((64, 128, 256), start=1):
        x = convolution(halved(x), channels(count, width), kernel)
        for _ in range(depth):
            x = layers.Add()([x, convolution(x, x.shape[-1], kernel)])
        x = attend(x, attention, stage, 3)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, probabilities(x, classes, dropout), name="se_resnet")


def mini_xception(
    size: int,
    classes: int,
    *,
    width: float = 1.0,
    dropout: float = 0.0,
    attention: str = "none",
    depth: int = 4,
    kernel: int = 3,
) -> keras.Model:
    """Return mini-Xception (Arriaga et al. 2017, arXiv:1710.07557): no dense layer at all.

    Two convolutions of 8 channels and `depth` residual modules of two separable convolutions
    with 16, 32, 64 … channels; the last convolution has a channel for each class, whose mean
    over the places goes through the softmax.
    """
    inputs, x = scaled_input(size)
    for _ in range(2):
        x = layers.Conv2D(channels(8, width), kernel, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    for stage in range(1, depth + 1):
        count = channels(8 * 2**stage, width)
        # A 1-by-1 convolution with stride 2, in two steps: TensorFlow 2.21 with oneDNN corrupts
        # its memory in that one's gradient for an odd batch and fewer than 16 channels.
        direct = layers.MaxPooling2D(1, strides=2, padding="same")(x)
        direct = convolution(direct, count, 1, activation="linear")
        for first in (True, False):
            x = layers.SeparableConv2D(count, kernel, padding="same", use_bias=False)(x)
            x = layers.BatchNormalization(momentum=0.9)(x)
            x = layers.ReLU()(x) if first else x
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        x = layers.Add()([attend(x, attention, stage, depth), direct])
    x = layers.Conv2D(classes, kernel, padding="same")(layers.Dropout(dropout)(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Softmax(dtype="float32")(x), name="mini_xception")
