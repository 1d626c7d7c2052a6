"""`mini_xception`: separable convolutions, no dense layer."""

import keras
from keras import layers

from mien.models.attention import attend
from mien.models.blocks import channels, convolution, scaled_input

SOURCE = "Arriaga et al. 2017, arXiv:1710.07557"


def build(
    size: int,
    classes: int,
    *,
    width: float = 1.0,
    dropout: float = 0.0,
    attention: str = "none",
    depth: int = 4,
    kernel: int = 3,
) -> keras.Model:
    """Return mini-Xception (Arriaga et al. 2017, arXiv:1710.07557), which has no dense layer.

    Two convolutions of 8 channels and `depth` residual modules of two separable convolutions
    with 16, 32, 64 … channels. The last convolution has a channel for each class, whose mean over
    all positions is the input of the softmax.
    """
    inputs, x = scaled_input(size)
    for _ in range(2):
        x = layers.Conv2D(channels(8, width), kernel, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    for stage in range(1, depth + 1):
        count = channels(8 * 2**stage, width)
        # A 1-by-1 convolution with stride 2, in two steps: TensorFlow 2.21 with oneDNN corrupts
        # memory in its gradient for an odd batch size and fewer than 16 channels.
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
