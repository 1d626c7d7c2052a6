"""Training on several devices of one machine, which share each batch."""

import functools
import os
import re
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from mien.errors import ParamError

if TYPE_CHECKING:
    import keras

# JAX reads this flag itself.
VIRTUAL = "--xla_force_host_platform_device_count"


def require(count: int) -> None:
    """Check that the backend has `count` devices. Imports Keras.

    With the flag in XLA_FLAGS TensorFlow, too, splits the processor into several devices, provided
    that it has not listed its devices yet.

    Raises:
        ParamError: it has fewer.
    """
    import keras

    backend = keras.backend.backend()
    virtual = re.search(rf"{VIRTUAL}=(\d+)", os.environ.get("XLA_FLAGS", ""))
    if backend == "tensorflow" and virtual:
        import tensorflow as tf

        (processor,) = tf.config.list_physical_devices("CPU")
        parts = [tf.config.LogicalDeviceConfiguration()] * int(virtual[1])
        tf.config.set_logical_device_configuration(processor, parts)
    found = keras.distribution.list_devices()
    if count > len(found):
        raise ParamError(
            f"train.devices: expected at most {len(found)}, as {backend} finds "
            f"{', '.join(found)}, got {count}; lower it, or set XLA_FLAGS={VIRTUAL}={count} to try "
            "it on parts of the processor"
        )


def spread(count: int) -> AbstractContextManager[Any]:
    """Return a context in which a model is built and trained on `count` devices.

    Each has all weights and takes its part of every batch; their gradients are averaged.
    """
    return _strategy(count).scope() if count > 1 else nullcontext()


@functools.cache
def _strategy(count: int) -> Any:
    import keras

    names = keras.distribution.list_devices()[:count]
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.distribute.MirroredStrategy(names)
    return keras.distribution.DataParallel(devices=names)


def synchronise(model: "keras.Model") -> None:
    """Let batch normalisation use the statistics of the whole batch, not of each device's part.

    JAX does so by default.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            synchronise(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True
