"""What holds for every registered architecture; registering one tests it."""

import keras
import numpy as np
import pytest
from conftest import drawn_images
from nets import CLASSES, NAMES, SCRATCH, built, gradients, spec

from mien import models

IMAGES, CODES = drawn_images(4)


@pytest.mark.parametrize("name", NAMES)
def test_grey_faces_become_a_distribution_over_the_classes(name):
    model = built(name)
    assert model.input_shape == (None, 48, 48)
    assert model.output_shape == (None, 4)
    found = np.asarray(model(IMAGES.astype(np.float32)))
    assert found.dtype == np.float32
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (found > 0).all()
    parameters, multiply_adds = models.cost(model)
    assert 50_000 < parameters < 5e7
    assert 1e6 < multiply_adds < 2e9


@pytest.mark.parametrize("name", NAMES)
def test_first_weights_follow_the_seed_and_files_restore_them(name, tmp_path):
    """Names and values alike: both enter the bytes of a weights file."""
    model = built(name)
    images = IMAGES.astype(np.float32)
    # Without `training`, a call must be inference and leave the weights alone.
    found = np.asarray(model(images))
    again = models.build(spec(name), seed=1)
    assert [weight.path for weight in again.weights] == [each.path for each in model.weights]
    assert all(map(np.array_equal, model.get_weights(), again.get_weights()))
    other = models.build(spec(name), seed=2)
    assert not all(map(np.array_equal, model.get_weights(), other.get_weights()))
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    assert np.array_equal(np.asarray(other(images)), found)


@pytest.mark.parametrize("name", NAMES)
def test_one_step_moves_every_trainable_weight(name):
    """No weight is cut off from the loss."""
    model = built(name)
    before = model.get_weights()
    found = gradients(model, IMAGES, CODES)
    paths = [weight.path for weight in model.trainable_weights]
    assert [path for path, each in zip(paths, found, strict=True) if not np.any(each)] == []
    optimizer = keras.optimizers.SGD(0.01)
    optimizer.apply([keras.ops.convert_to_tensor(each) for each in found], model.trainable_weights)
    assert all(np.isfinite(each).all() for each in model.get_weights())
    model.set_weights(before)


@pytest.mark.parametrize("name", SCRATCH)
def test_thirty_two_images_are_learnt_by_heart(name):
    images, codes = drawn_images(32)
    # Half as wide takes a quarter of the time.
    model = models.build(spec(name, dropout=0.0, width=0.5), seed=1)
    model.compile(keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy")
    for _ in range(10):
        # Odd batches, which have made TensorFlow crash.
        model.fit(images, codes, batch_size=11, epochs=3, verbose=0)
        if (model.predict(images, verbose=0).argmax(axis=1) == codes).all():
            return
    pytest.fail("30 epochs were not enough")


@pytest.mark.parametrize("name", NAMES)
def test_only_dropout_is_random(name):
    """Training seeds the generators from (seed, epoch); another random layer must have one too."""
    model = built(name)
    weights = {id(variable) for variable in model.weights}
    generators = [variable for variable in model.variables if id(variable) not in weights]
    assert all(variable.shape == (2,) for variable in generators)
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.Dropout)]
    assert len(generators) == sum(layer.rate > 0 for layer in layers)


def test_classes_and_sizes_are_free():
    model = models.build(spec("vgg", classes=CLASSES[:3], image_size=33))
    assert (model.input_shape, model.output_shape) == ((None, 33, 33), (None, 3))
