"""`se_resnet`: a residual network with squeeze-and-excitation, at full resolution at first."""

import keras
from keras import layers

from mien.models.attention import attend
from mien.models.blocks import channels, convolution, halved, probabilities, standardised_input

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
    """Return a residual network with squeeze-and-excitation, of 64, 128 and 256 channels.

    He et al. 2016, arXiv:1512.03385; Hu et al. 2018, arXiv:1709.01507. Like `compact`, it
    normalises each image to mean 0 and variance 1 and has `depth` residual convolutions in each
    stage, but its first convolution, of 32 channels, has stride 1.
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
