"""`resnet`: a narrow residual network for small faces."""

import keras
from keras import layers

from mien.models.attention import attend
from mien.models.blocks import channels, convolution, probabilities, scaled_input

SOURCE = "narrow, after He et al. 2016"


def build(
    size: int,
    classes: int,
    *,
    width: float = 1.0,
    dropout: float = 0.2,
    attention: str = "none",
    depth: int = 2,
    kernel: int = 3,
) -> keras.Model:
    """Return a narrow residual network of 32, 64 and 128 channels, `depth` blocks of each.

    The variant of He et al. 2016 (arXiv:1512.03385, section 4.2) for 32 × 32 images. Attention is
    applied before the sum (Hu et al. 2018), in the last block of each stage.
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
    """Return a basic block's output, with attention unless `stage` is 0."""
    inner = convolution(x, width, kernel, strides)
    inner = convolution(inner, width, kernel, activation="linear")
    if stage:
        inner = attend(inner, attention, stage, 3)
    if strides > 1 or x.shape[-1] != width:
        x = convolution(x, width, 1, strides, activation="linear")
    return layers.ReLU()(layers.Add()([x, inner]))
