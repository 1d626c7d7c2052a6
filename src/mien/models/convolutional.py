"""Plain convolutional nets.

All are called as `net(size, classes, *, …)`: side of the faces, number of classes, and the
options the net takes with its own values. `width` is a factor on channels and dense units,
`attention` see `mien.models.attention`, `kernel` the side of the kernels, `dense` the units of
the hidden dense layer, `dropout` the rate before the last layer.
"""

import keras
from keras import layers

from mien.models.attention import attend
from mien.models.parts import channels, convolution, halved, probabilities, scaled_input


def seed_cnn(
    size: int,
    classes: int,
    *,
    width: float = 1.0,
    dropout: float = 0.25,
    attention: str = "none",
    kernel: int = 7,
    dense: int = 64,
) -> keras.Model:
    """Return four convolutions of 64, 128, 128 and 256 channels and a dense layer of 64.

    `kernel` is that of the first convolution, the others have 3.
    """
    inputs, x = scaled_input(size)
    x = layers.Conv2D(channels(64, width), kernel, padding="same", activation="relu")(x)
    x = attend(layers.MaxPooling2D()(x), attention, 1, 3)
    x = layers.Conv2D(channels(128, width), 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(channels(128, width), 3, padding="same", activation="relu")(x)
    x = attend(layers.MaxPooling2D()(x), attention, 2, 3)
    x = layers.Conv2D(channels(256, width), 3, padding="same", activation="relu")(x)
    x = attend(layers.MaxPooling2D()(x), attention, 3, 3)
    x = layers.Dense(channels(dense, width), activation="relu")(layers.Flatten()(x))
    return keras.Model(inputs, probabilities(x, classes, dropout), name="seed_cnn")


def simple_cnn(
    size: int,
    classes: int,
    *,
    width: float = 1.0,
    dropout: float = 0.25,
    attention: str = "none",
    kernel: int = 3,
    dense: int = 128,
) -> keras.Model:
    """Return three convolutions of 32, 64 and 128 channels and a dense layer of 128."""
    inputs, x = _pooled((32, 64, 128), size, width, kernel, attention)
    x = layers.Dense(channels(dense, width), activation="relu")(x)
    return keras.Model(inputs, probabilities(x, classes, dropout), name="simple_cnn")


def two_conv(
    size: int,
    classes: int,
    *,
    width: float = 1.0,
    dropout: float = 0.25,
    attention: str = "none",
    kernel: int = 3,
    dense: int = 128,
) -> keras.Model:
    """Return two convolutions of 32 and 64 channels and a dense layer of 128."""
    inputs, x = _pooled((32, 64), size, width, kernel, attention)
    x = layers.Dense(channels(dense, width), activation="relu")(x)
    return keras.Model(inputs, probabilities(x, classes, dropout), name="two_conv")


def _pooled(
    counts: tuple[int, ...], size: int, width: float, kernel: int, attention: str
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input and flat features after convolutions, each with max-pooling."""
    inputs, x = scaled_input(size)
    for stage, count in enumerate(counts, start=1):
        x = layers.Conv2D(channels(count, width), kernel, padding="same", activation="relu")(x)
        x = attend(layers.MaxPooling2D()(x), attention, stage, len(counts))
    return inputs, layers.Flatten()(x)


def leaky_cnn(
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

    The blocks have 32, 64, 128 … channels, `depth` says how many; after global average pooling
    come dense layers of 128, 512 and 64, each with dropout.
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
        # The last dropout comes with the last layer.
        x = layers.Dropout(dropout)(x) if units != 64 else x
    return keras.Model(inputs, probabilities(x, classes, dropout), name="leaky_cnn")


def deep_cnn(
    size: int,
    classes: int,
    *,
    width: float = 1.0,
    dropout: float = 0.25,
    attention: str = "none",
    kernel: int = 3,
    dense: int = 128,
) -> keras.Model:
    """Return six convolutions with BatchNorm in pairs of 32, 64 and 128 channels.

    Max-pooling and `dropout` follow each pair; then comes a dense layer of 128.
    """
    inputs, x = _blocks((32, 64, 128), size, width, kernel, attention, dropout)
    x = layers.Dense(channels(dense, width), activation="relu")(x)
    return keras.Model(inputs, probabilities(x, classes, dropout), name="deep_cnn")


def complex_cnn(
    size: int,
    classes: int,
    *,
    width: float = 1.0,
    dropout: float = 0.25,
    attention: str = "none",
    kernel: int = 3,
    dense: int = 256,
) -> keras.Model:
    """Return five blocks of two convolutions, 64 to 512 channels: as large as transfer nets.

    Max-pooling and `dropout` follow each block; then comes a dense layer of 256.
    """
    inputs, x = _blocks((64, 128, 256, 512, 512), size, width, kernel, attention, dropout)
    x = layers.Dense(channels(dense, width), activation="relu")(x)
    return keras.Model(inputs, probabilities(x, classes, dropout), name="complex_cnn")


def vgg(
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

    Its `depth` stages of two convolutions have 32, 64, 128 … channels, as in Khaireddin & Chen
    2021 (arXiv:2105.03588), who have twice as many.
    """
    counts = tuple(32 * 2**stage for stage in range(depth))
    inputs, x = _blocks(counts, size, width, kernel, attention, dropout=0.1)
    x = layers.Dense(channels(dense, width), activation="relu")(x)
    return keras.Model(inputs, probabilities(x, classes, dropout), name="vgg")


def _blocks(
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
