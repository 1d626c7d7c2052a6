"""Batch normalisation in one kernel: the same numbers as Keras' own, in fewer operations."""

import keras
import numpy as np
import pytest

from mien import models
from mien.training.normalization import _Fused, fuse

SPEC = {"arch": "mobilenet", "image_size": 48, "classes": list("abcd"), "side": 48}


def pair(**layer: object) -> tuple[keras.Model, keras.Model]:
    """Return the same small net twice, the second with the kernel."""
    made = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        x = inputs = keras.Input((6, 5, 1))
        x = keras.layers.Conv2D(4, 3)(x)
        x = keras.layers.BatchNormalization(momentum=0.7, **layer)(x)
        x = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(x))
        made.append(keras.Model(inputs, x))
    fuse(made[1])
    return made[0], made[1]


def fused(model: keras.Model) -> int:
    return sum(type(layer) is _Fused for layer in model._flatten_layers())


@pytest.mark.parametrize("layer", [{}, {"scale": False}, {"center": False}, {"epsilon": 0.01}])
def test_training_gives_the_weights_and_statistics_of_keras(layer):
    rng = np.random.default_rng(0)
    images = rng.normal(3, 2, (32, 6, 5, 1)).astype(np.float32)
    targets = np.eye(2, dtype=np.float32)[rng.integers(2, size=32)]
    own, kernel = pair(**layer)
    assert (fused(own), fused(kernel)) == (0, 1)
    for model in (own, kernel):
        model.compile(keras.optimizers.SGD(0.5), "categorical_crossentropy")
        model.fit(images, targets, batch_size=16, epochs=3, shuffle=False, verbose=0)
    for one, other in zip(own.get_weights(), kernel.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(own.predict(images), kernel.predict(images), rtol=1e-4)


def test_a_frozen_layer_keeps_its_statistics():
    _, model = pair()
    (layer,) = (layer for layer in model.layers if type(layer) is _Fused)
    layer.trainable = False
    before = [np.array(weight) for weight in layer.weights]
    model(np.full((4, 6, 5, 1), 9, np.float32), training=True)
    assert all((np.array(w) == b).all() for w, b in zip(layer.weights, before, strict=True))


@pytest.mark.parametrize("layer", [{"synchronized": True}, {"axis": 1}, {"epsilon": 1e-7}])
def test_what_the_kernel_cannot_do_stays_keras_own(layer):
    assert fused(pair(**layer)[1]) == 0


def test_every_such_layer_of_a_net_and_half_precision():
    model = models.build(SPEC, 1, "mixed_bfloat16")
    fuse(model)
    assert fused(model) == 27
    said = model(np.zeros((2, 48, 48), np.uint8), training=True)
    assert np.allclose(np.sum(said, axis=1), 1, atol=1e-2)
