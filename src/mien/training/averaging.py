"""The moving average of a model's weights, kept on the device that trains it."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np


class Average:
    """A moving average whose step is one call of the backend and copies nothing to the host."""

    def __init__(self, start: Sequence[np.ndarray], model: keras.Model) -> None:
        """Begin at `start`.

        Args:
            start: as many arrays as the model has weights, of the same shapes.
            model: whose weights are averaged, those of batch normalisation among them.
        """
        make = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.backend.backend()]
        self._step, self._read = make(start, model)

    def update(self, momentum: float) -> None:
        """Add `1 - momentum` of what separates the weights, as they are now, from the average."""
        self._step(1 - momentum)

    def arrays(self) -> list[np.ndarray]:
        """Return the average as new arrays."""
        return [np.array(keras.ops.convert_to_numpy(array)) for array in self._read()]


Made = tuple[Callable[[float], None], Callable[[], Sequence[Any]]]


def _tensorflow(start: Sequence[np.ndarray], model: keras.Model) -> Made:
    import tensorflow as tf

    averages = [tf.Variable(array, trainable=False) for array in start]
    values = [weight.value for weight in model.weights]

    @tf.function
    def step(share: Any) -> None:
        for average, value in zip(averages, values, strict=True):
            average.assign_add(share * (value - average))

    # As a tensor: for each new number the graph would be traced anew.
    return lambda share: step(tf.constant(share, tf.float32)), lambda: averages


def _jax(start: Sequence[np.ndarray], model: keras.Model) -> Made:
    import jax

    averages: list[Any] = [jax.numpy.array(array) for array in start]

    @jax.jit
    def moved(before: list[Any], values: list[Any], share: float) -> list[Any]:
        return [old + share * (new - old) for old, new in zip(before, values, strict=True)]

    def step(share: float) -> None:
        # Within an epoch the model's own variables would be those of its beginning.
        model.jax_state_sync()
        averages[:] = moved(averages, [weight.value for weight in model.weights], share)

    return step, lambda: averages


def _torch(start: Sequence[np.ndarray], model: keras.Model) -> Made:
    import torch

    averages = [
        torch.tensor(array, device=weight.value.device)
        for array, weight in zip(start, model.weights, strict=True)
    ]

    @torch.no_grad()
    def step(share: float) -> None:
        for average, weight in zip(averages, model.weights, strict=True):
            average.lerp_(weight.value, share)

    return step, lambda: averages
