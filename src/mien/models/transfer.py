"""Keras' own networks with a new head, for faces: a table and the one builder it needs.

Each network's preprocessing is a layer of the model, exactly once: networks that bring their
own are built without it.
"""

from typing import Any, NamedTuple

import keras
from keras import applications, layers, ops

from mien.models.parts import grey_input, probabilities

# ImageNet's mean and deviation of each channel, for values of 0 to 1.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# Keras' names for its three ways to scale 0 to 255: factor, then offset for each channel.
# `caffe` has blue first; for three equal channels that is the order of its offsets alone.
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
        smallest: side of the smallest image it accepts.
        preprocessing: key of PREPROCESSING.
        file: what Keras calls its ImageNet weights without the top.
        own: whether it brings a preprocessing that can be left out.
        begins: where it brings one that cannot: the first layer after it.
    """

    application: str
    smallest: int
    preprocessing: str
    file: str
    own: bool = False
    begins: str | None = None


_KERNELS = "_weights_tf_dim_ordering_tf_kernels"
NETWORKS = {
    "vgg16": Network("VGG16", 32, "caffe", f"vgg16{_KERNELS}_notop.h5"),
    "vgg19": Network("VGG19", 32, "caffe", f"vgg19{_KERNELS}_notop.h5"),
    "resnet50": Network("ResNet50", 32, "caffe", f"resnet50{_KERNELS}_notop.h5"),
    "resnet101": Network("ResNet101", 32, "caffe", f"resnet101{_KERNELS}_notop.h5"),
    "resnet50v2": Network("ResNet50V2", 32, "tf", f"resnet50v2{_KERNELS}_notop.h5"),
    "inception_v3": Network("InceptionV3", 75, "tf", f"inception_v3{_KERNELS}_notop.h5"),
    "xception": Network("Xception", 71, "tf", f"xception{_KERNELS}_notop.h5"),
    "mobilenet_v2": Network("MobileNetV2", 32, "tf", f"mobilenet_v2{_KERNELS}_1.0_224_no_top.h5"),
    "mobilenet_v3": Network(
        "MobileNetV3Large",
        32,
        "tf",
        "weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        own=True,
    ),
    "densenet121": Network("DenseNet121", 32, "torch", f"densenet121{_KERNELS}_notop.h5"),
    "densenet169": Network("DenseNet169", 32, "torch", f"densenet169{_KERNELS}_notop.h5"),
    "efficientnet_b0": Network(
        "EfficientNetB0", 32, "torch", "efficientnetb0_notop.h5", begins="stem_conv_pad"
    ),
    "efficientnetv2_b0": Network(
        "EfficientNetV2B0", 32, "torch", "efficientnetv2-b0_notop.h5", own=True
    ),
    "convnext_tiny": Network("ConvNeXtTiny", 32, "torch", "convnext_tiny_notop.h5", own=True),
}


def build(
    name: str, size: int, classes: int, *, dropout: float = 0.2, dense: int | None = None
) -> keras.Model:
    """Return network `name`, its features averaged over places, under a new softmax layer.

    Faces smaller than the network accepts are enlarged to the smallest that it does, larger
    ones stay as they are.

    Args:
        name: key of NETWORKS.
        size: side of the faces.
        classes: number of classes.
        dropout: before the last layer.
        dense: units of a hidden dense layer between network and softmax; None: no such layer.
    """
    network = NETWORKS[name]
    side = max(size, network.smallest)
    inputs, x = grey_input(size)
    if side != size:
        # The layer Resizing would switch what follows to training mode in a plain model(images).
        x = ops.image.resize(x, (side, side))
    x = layers.Concatenate()([x, x, x])
    scale, offset = PREPROCESSING[network.preprocessing]
    x = layers.Rescaling(scale, offset, name="preprocessing")(x)
    x = layers.GlobalAveragePooling2D()(backbone(name, side)(x))
    if dense:
        x = layers.Dense(dense, activation="relu")(x)
    return keras.Model(inputs, probabilities(x, classes, dropout), name=name)


def backbone(name: str, side: int) -> keras.Model:
    """Return network `name` without top and preprocessing, for images (N, side, side, 3)."""
    network = NETWORKS[name]
    options = {"include_preprocessing": False} if network.own else {}
    model = getattr(applications, network.application)(
        include_top=False, weights=None, input_shape=(side, side, 3), **options
    )
    if network.begins:
        model = keras.Model(model.get_layer(network.begins).input, model.output)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            # A run here has hundreds of steps; 0.999 (MobileNets) needs thousands.
            layer.momentum = 0.9
    model.name = "backbone"
    return model
