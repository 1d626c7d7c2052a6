"""What every architecture begins and ends with."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers


def channels(count: int, spec: Mapping[str, Any]) -> int:
    """Return `count` times the spec's width, rounded, at least 1."""
    return max(1, round(count * spec["width"]))


def grey_input(spec: Mapping[str, Any]) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input, (N, S, S), 0 to 255, and the same as (N, S, S, 1), -1 to 1."""
    size = spec["image_size"]
    inputs = keras.Input((size, size), dtype="float32", name="faces")
    x = layers.Reshape((size, size, 1))(inputs)
    return inputs, layers.Rescaling(1 / 127.5, offset=-1)(x)


def probabilities(
    features: keras.KerasTensor, spec: Mapping[str, Any], dropout: float
) -> keras.KerasTensor:
    """Return float32 class probabilities, (N, C), from features, (N, F).

    Args:
        features: the last hidden layer.
        spec: its `dropout`, where not None, takes the place of `dropout`.
        dropout: the architecture's own rate.
    """
    rate = dropout if spec["dropout"] is None else spec["dropout"]
    x = layers.Dropout(rate)(features)
    return layers.Dense(
        len(spec["classes"]),
        activation="softmax",
        # Under mixed precision too: the softmax of half floats loses the tails.
        dtype="float32",
    )(x)
