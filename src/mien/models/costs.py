"""The cost of a model: its parameters, and the multiply-adds for one image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def cost(model: keras.Model) -> tuple[int, int]:
    """Return the model's parameters, and the multiply-adds for one image.

    Multiply-adds are counted in convolutions, dense layers and products of two tensors,
    without biases; everything else is negligible.
    """
    return model.count_params(), sum(_multiply_adds(layer) for layer in model.layers)


def _multiply_adds(layer: keras.Layer) -> int:
    import keras

    if isinstance(layer, keras.Model):
        return cost(layer)[1]
    if isinstance(layer, keras.layers.Dot):
        axes = layer.axes if isinstance(layer.axes, int) else layer.axes[0]
        return math.prod(layer.output.shape[1:]) * layer.input[0].shape[axes]
    if isinstance(layer, keras.layers.Dense):
        kernels, places = [layer.kernel], layer.output.shape[1:-1]
    elif isinstance(layer, keras.layers.SeparableConv2D):
        kernels = [layer.depthwise_kernel, layer.pointwise_kernel]
        places = layer.output.shape[1:-1]
    elif isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
        kernels, places = [layer.kernel], layer.output.shape[1:-1]
    else:
        return 0
    return sum(math.prod(kernel.shape) for kernel in kernels) * math.prod(places)
