"""Keras' own networks with a new head for faces: the builder that their architecture files share.

Each network's preprocessing is a layer of the model, exactly once: networks with built-in
preprocessing are created without it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import applications, layers, ops

from mien.models.blocks import grey_input, probabilities

# ImageNet's mean and standard deviation of each channel, for values from 0 to 1.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# Keras' names for its three ways to scale 0 to 255: factor, then offset for each channel.
# `caffe` has blue first; for three equal channels only the order of its offsets matters.
PREPROCESSING: dict[str, tuple[Any, Any]] = {
    "caffe": (1.0, [-103.939, -116.779, -123.68]),
    "tf": (1 / 127.5, -1.0),
    "torch": (
        [1 / (255 * deviation) for deviation in DEVIATION],
        [-mean / deviation for mean, deviation in zip(MEAN, DEVIATION, strict=True)],
    ),
}


class Network(NamedTuple):
    """One of Keras' applications.

    Attributes:
        application: its name in `keras.applications`.
        preprocessing: key of PREPROCESSING.
        file: Keras' file name for its ImageNet weights without the top; None: they do not fit.
        min_side: side of the smallest image that it accepts, pixels.
        own_preprocessing: whether it has built-in preprocessing that can be switched off.
        first_layer: if built-in preprocessing cannot be switched off, the first layer after it.
        faces: whether the weights of `mien.models.face_weights` are for this network.
    """

    application: str
    preprocessing: str
    file: str | None
    min_side: int = 32
    own_preprocessing: bool = False
    first_layer: str | None = None
    faces: bool = False


def builder(network: Network) -> Callable[..., keras.Model]:
    """Return the `build` of an architecture file for one of Keras' networks."""

    def build(
        size: int,
        classes: int,
        *,
        dropout: float = 0.2,
        dense: int | None = None,
        side: int | None = None,
    ) -> keras.Model:
        """Return the network with global average pooling and a new softmax layer.

        Faces are resized to `side`, or to the network's minimum if that is larger.

        Args:
            size: side of the faces.
            classes: number of classes.
            dropout: dropout rate before the last layer.
            dense: units of a hidden dense layer between network and softmax; None: no such layer.
            side: side of the network's input, pixels; None: that of the faces.
        """
        side = max(side or size, network.min_side)
        inputs, x = grey_input(size)
        if side != size:
            # Not the layer Resizing: with it, a plain model(images) would run the layers after it
            # in training mode.
            x = ops.image.resize(x, (side, side))
        x = layers.Concatenate()([x, x, x])
        scale, offset = PREPROCESSING[network.preprocessing]
        x = layers.Rescaling(scale, offset, name="preprocessing")(x)
        x = layers.GlobalAveragePooling2D()(backbone(network, side)(x))
        if dense:
            x = layers.Dense(dense, activation="relu")(x)
        return keras.Model(inputs, probabilities(x, classes, dropout))

    return build


def trunk(model: keras.Model) -> list[layers.Layer]:
    """Return the layers below the head: the network of Keras, or all layers but the last.

    Args:
        model: of any architecture.
    """
    names = [layer.name for layer in model.layers]
    return model.get_layer("backbone").layers if "backbone" in names else model.layers[:-1]


def leaves(model: keras.Model) -> list[layers.Layer]:
    """Return all layers of the model, nested networks replaced by their layers."""
    return [
        leaf
        for layer in model.layers
        for leaf in (leaves(layer) if isinstance(layer, keras.Model) else [layer])
    ]


def backbone(network: Network, side: int) -> keras.Model:
    """Return the network without top and preprocessing, for images (N, side, side, 3)."""
    options = {"include_preprocessing": False} if network.own_preprocessing else {}
    model = getattr(applications, network.application)(
        include_top=False, weights=None, input_shape=(side, side, 3), **options
    )
    if network.first_layer:
        model = keras.Model(model.get_layer(network.first_layer).input, model.output)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            # A training here has hundreds of steps; 0.999 (MobileNets) needs thousands.
            layer.momentum = 0.9
    model.name = "backbone"
    return model
