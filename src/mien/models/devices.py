"""Several devices of the backend, in one machine, that share each batch of a training."""

import functools
import os
import re
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from mien.errors import ParamError

if TYPE_CHECKING:
    import keras

# JAX reads it itself.
VIRTUAL = "--xla_force_host_platform_device_count"


def require(count: int) -> None:
    """Do nothing if the backend has `count` devices. Imports Keras.

    TensorFlow, too, takes the processor for as many devices as XLA_FLAGS tells, if it has not
    looked for devices yet.

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
    """Return a context in which a model is built, and learns, on `count` devices.

    Each holds all weights and takes its part of every batch; their gradients are averaged.
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
    """Let batch normalisation see the whole batch, and not each device its part alone.

    In JAX it does by itself.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            synchronise(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True
