"""Each architecture built once for all tests of a process, with what they compare it by."""

import functools

import keras
import numpy as np

from mien import models
from mien.models import registry

# As many as architectures/costs.csv counts with.
CLASSES = ["anger", "disgust", "fear", "happy", "neutral", "sad", "surprise"]
NAMES = registry.names()
TRANSFER = [name for name in NAMES if registry.network(name)]
SCRATCH = [name for name in NAMES if not registry.network(name)]


def spec(arch: str, **changes: object) -> dict:
    return {"arch": arch, "classes": CLASSES, "image_size": 48} | changes


@functools.cache
def built(arch: str) -> keras.Model:
    """Return the net with its own options and seed 1; nobody may change its weights."""
    return models.build(spec(arch), seed=1)


def gradients(model: keras.Model, images: np.ndarray, codes: np.ndarray) -> list[np.ndarray]:
    """Return the gradient of the cross-entropy, one for each trainable weight."""
    import tensorflow as tf

    targets = np.eye(len(CLASSES), dtype=np.float32)[codes]
    with tf.GradientTape() as tape:
        predicted = model(images.astype(np.float32), training=True)
        loss = keras.ops.mean(keras.losses.categorical_crossentropy(targets, predicted))
    found = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    return [np.zeros(1) if each is None else np.asarray(each) for each in found]
