"""Batch normalisation in one kernel, where TensorFlow trains.

Keras 3 puts it together from some ten operations, each of which reads the whole feature map. A
training step of `mobilenet` at 96 pixels takes 1.7 times as long with them (docs/benchmarks.md).
"""

from typing import Any

import keras

from mien.models.transfer import leaves

# TensorFlow's kernel takes no smaller one.
MIN_EPSILON = 1.001e-5


def fuse(model: keras.Model) -> None:
    """Let the layers of a model that is only trained, never saved, call TensorFlow's kernel.

    They keep their weights and compute the same to rounding. A model trained on several devices
    stays as it is, as the kernel knows the images of its own device alone; so do other backends.
    """
    if keras.backend.backend() != "tensorflow":
        return
    for layer in leaves(model):
        if type(layer) is keras.layers.BatchNormalization and _suits(layer):
            layer.__class__ = _Fused


def _suits(layer: keras.layers.BatchNormalization) -> bool:
    return (
        layer.input.ndim == 4
        and layer.axis in (-1, 3)
        and layer.epsilon >= MIN_EPSILON
        and not (layer.synchronized or layer.renorm)
    )


class _Fused(keras.layers.BatchNormalization):
    """Batch normalisation of feature maps, shape (N, H, W, C), over their last axis."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        import tensorflow as tf

        kernel = tf.raw_ops.FusedBatchNormV3
        mean, variance = (tf.convert_to_tensor(x) for x in (self.moving_mean, self.moving_variance))
        scale = tf.convert_to_tensor(self.gamma) if self.scale else tf.ones_like(mean)
        offset = tf.convert_to_tensor(self.beta) if self.center else tf.zeros_like(mean)
        given = {"x": inputs, "scale": scale, "offset": offset, "epsilon": self.epsilon}
        if not (training and self.trainable):
            return kernel(**given, mean=mean, variance=variance, is_training=False).y
        empty = tf.zeros([0])
        done = kernel(**given, mean=empty, variance=empty, is_training=True)
        # The kernel returns the sample's variance, Keras averages the population's.
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), variance.dtype)
        found = done.batch_variance * (count - 1) / count
        self.moving_mean.assign(mean * self.momentum + done.batch_mean * (1 - self.momentum))
        self.moving_variance.assign(variance * self.momentum + found * (1 - self.momentum))
        return done.y
