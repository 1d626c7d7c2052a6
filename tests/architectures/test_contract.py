"""What holds for every architecture: a new file in `mien/architectures` is tested as it is."""

import keras
import numpy as np
import pytest
from conftest import drawn_images
from nets import CLASSES, NAMES, SCRATCH, built, gradients, spec

from mien import models
from mien.errors import ParamError
from mien.models import registry

# Builds all nets, and is not the only one to.
IMAGES, CODES = drawn_images(4)
# One builder makes the transfer nets: a small one shows what it does.
SHOWN = [*SCRATCH, "mobilenet_v2"]


@pytest.mark.parametrize("name", NAMES)
def test_grey_faces_become_a_distribution_over_the_classes(name):
    model = built(name)
    assert model.input_shape == (None, 48, 48)
    assert model.output_shape == (None, len(CLASSES))
    found = np.asarray(model(IMAGES.astype(np.float32)))
    assert found.dtype == np.float32
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (found > 0).all()


@pytest.mark.parametrize("name", registry.measured_costs())
def test_costs_csv_tells_what_the_net_costs(name):
    assert registry.measured_costs()[name] == models.cost(built(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_file_says_whose_net_it_is(name):
    assert registry.source(name)


@pytest.mark.parametrize("name", SHOWN)
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


@pytest.mark.parametrize("name", SHOWN)
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
    images, codes = drawn_images(32, size=24)
    # Half as wide takes a quarter of the time.
    options = {"dropout": 0.0, "width": 0.5}
    taken = {option: options[option] for option in options if option in models.options(name)}
    model = models.build(spec(name, image_size=24, **taken), seed=1)
    model.compile(keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy")
    for _ in range(10):
        # Odd batches, which have made TensorFlow crash.
        model.fit(images, codes, batch_size=11, epochs=3, verbose=0)
        # Not `predict`, which would trace a graph for it.
        if (np.asarray(model(images.astype(np.float32))).argmax(axis=1) == codes).all():
            return
    pytest.fail("30 epochs were not enough")


@pytest.mark.parametrize("name", NAMES)
def test_only_dropout_is_random(name):
    """Training seeds the generators from (seed, epoch); another random layer must have one too."""
    model = built(name)
    weights = {id(variable) for variable in model.weights}
    generators = [variable for variable in model.variables if id(variable) not in weights]
    assert all(variable.shape == (2,) for variable in generators)
    assert len(generators) == sum(rate > 0 for rate in rates(model))


def rates(model: keras.Model) -> list[float]:
    layers = model._flatten_layers()
    return [layer.rate for layer in layers if isinstance(layer, keras.layers.Dropout)]


def kernels(model: keras.Model) -> list[tuple[int, ...]]:
    return [weight.shape for weight in model.weights if len(weight.shape) > 1]


# What shows a value of an option in a net, and two values: one may be the net's own.
OPTIONS = {
    "depth": (lambda net: sum(len(shape) == 4 for shape in kernels(net)), (2, 3)),
    "kernel": (lambda net: {shape[0] for shape in kernels(net) if len(shape) == 4}, (5, 3)),
    "dense": (lambda net: {shape[1] for shape in kernels(net) if len(shape) == 2}, (17, 18)),
    "dropout": (rates, (0.4, 0.1)),
    "attention": (
        lambda net: "attention_1" in {layer.name for layer in net.layers},
        ("se", "none"),
    ),
}


@pytest.mark.parametrize("name", SHOWN)
def test_options_change_the_net_that_takes_them_and_others_are_refused(name):
    own = models.defaults(name)
    values = {
        option: next(value for value in pair if value != own.get(option))
        for option, (_, pair) in OPTIONS.items()
    }
    changed = models.build(spec(name, **{key: values[key] for key in values if key in own}))
    for option, (seen, _) in OPTIONS.items():
        if option in own:
            assert seen(changed) != seen(built(name)), option
        else:
            with pytest.raises(ParamError, match=rf"model.{option}: {name} has no such option"):
                models.check(spec(name, **{option: values[option]}))


@pytest.mark.parametrize("name", [name for name in NAMES if "width" in models.defaults(name)])
def test_half_the_width_leaves_a_quarter_of_the_parameters(name):
    half = models.build(spec(name, width=0.5))
    assert 0.2 < half.count_params() / built(name).count_params() < 0.32


def test_classes_and_sizes_are_free():
    model = models.build(spec("vgg", classes=CLASSES[:3], image_size=33))
    assert (model.input_shape, model.output_shape) == ((None, 33, 33), (None, 3))
