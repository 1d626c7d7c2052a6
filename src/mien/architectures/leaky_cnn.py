"""`leaky_cnn`: convolutions with LeakyReLU, and three dense layers."""

import keras
from keras import layers

from mien.models.attention import attend
from mien.models.blocks import channels, halved, probabilities, scaled_input

SOURCE = "this project"


def build(
    size: int,
    classes: int,
    *,
    width: float = 1.0,
    dropout: float = 0.2,
    attention: str = "none",
    depth: int = 4,
    kernel: int = 3,
) -> keras.Model:
    """Return blocks of convolution, LeakyReLU 0.1 (Maas et al. 2013), BatchNorm and max-pool.

    There are `depth` blocks with 32, 64, 128 … channels; after global average pooling there are
    dense layers of 128, 512 and 64, each with dropout.
    """
    inputs, x = scaled_input(size)
    for stage in range(1, depth + 1):
        count = channels(16 * 2**stage, width)
        x = layers.Conv2D(count, kernel, padding="same", kernel_initializer="he_normal")(x)
        x = layers.BatchNormalization(momentum=0.9)(layers.LeakyReLU(0.1)(x))
        x = attend(halved(x), attention, stage, depth)
    x = layers.GlobalAveragePooling2D()(x)
    for units in (128, 512, 64):
        x = layers.LeakyReLU(0.1)(layers.Dense(channels(units, width))(x))
        # `probabilities` adds the last dropout.
        x = layers.Dropout(dropout)(x) if units != 64 else x
    return keras.Model(inputs, probabilities(x, classes, dropout), name="leaky_cnn")
