"""`compact`: a small residual network, invariant to brightness and contrast, fast on a CPU."""

import keras
from keras import layers

from mien.models.attention import attend
from mien.models.blocks import channels, convolution, probabilities, standardised_input

SOURCE = "this project"


def build(
    size: int,
    classes: int,
    *,
    width: float = 1.0,
    dropout: float = 0.3,
    attention: str = "se",
    depth: int = 1,
    kernel: int = 3,
) -> keras.Model:
    """Return a residual network with squeeze-and-excitation, of 64 and 128 channels.

    He et al. 2016, arXiv:1512.03385; Hu et al. 2018, arXiv:1709.01507. Each image is normalised to
    mean 0 and variance 1. The first convolution has stride 2, so that the others do not work at
    full resolution. Channels are powers of two times `width`, because processors compute on 16 or
    32 at a time.

    Args:
        size: side of the faces.
        classes: number of classes.
        width: factor on the channels.
        dropout: dropout rate before the last layer.
        attention: see `mien.models.attention`.
        depth: residual convolutions in each of the two stages.
        kernel: kernel size.
    """
    inputs, x = standardised_input(size)
    x = convolution(x, channels(16, width), kernel, strides=2)
    x = convolution(x, channels(32, width), kernel)
    for stage, count in enumerate((64, 128), start=1):
        x = convolution(layers.MaxPooling2D()(x), channels(count, width), kernel)
        for _ in range(depth):
            x = layers.Add()([x, convolution(x, x.shape[-1], kernel)])
        x = attend(x, attention, stage, 2)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, probabilities(x, classes, dropout), name="compact")
