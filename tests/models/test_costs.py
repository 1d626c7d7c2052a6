"""What a net costs is the arithmetic of its layers."""

import keras
from keras import layers

from mien import models


def test_cost_is_the_arithmetic_of_each_layer():
    inputs = keras.Input((8, 8, 2))
    x = layers.Conv2D(4, 3, padding="same")(inputs)
    x = layers.DepthwiseConv2D(5, strides=2, padding="same", use_bias=False)(x)
    x = layers.SeparableConv2D(6, 3, padding="valid")(x)
    x = layers.Conv2D(6, 3, padding="same", groups=3)(x)
    inner = keras.Sequential([keras.Input((24,)), layers.Dense(5)])
    places = layers.Reshape((4, 6))(x)
    pairs = layers.Dot(axes=2)([places, places])
    mixed = layers.Dot(axes=(2, 1))([pairs, places])
    x = inner(layers.Flatten()(mixed))
    parameters = (72 + 4) + 100 + (36 + 24 + 6) + (108 + 6) + (120 + 5)
    products = 4 * 4 * 6 + 4 * 6 * 4
    multiply_adds = 64 * 72 + 16 * 100 + 4 * (36 + 24) + 4 * 108 + products + 120
    assert models.cost(keras.Model(inputs, x)) == (parameters, multiply_adds)
