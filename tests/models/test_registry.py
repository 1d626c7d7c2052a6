"""Every registered architecture builds, counts, saves and loads; two have a fixed shape."""

import json

import keras
import numpy as np
import pytest
from conftest import drawn_images
from keras import layers

from mien import models
from mien.errors import ParamError

CLASSES = ("happy", "neutral", "sad", "surprise")


def spec(arch: str, **changes) -> dict:
    full = {"arch": arch, "width": 1.0, "dropout": None, "classes": CLASSES, "image_size": 48}
    return full | changes


@pytest.fixture(scope="module", params=models.ARCHITECTURES)
def built(request) -> keras.Model:
    """Return each architecture in turn, its last layer no longer all zeros."""
    model = models.build(spec(request.param), seed=1)
    rng = np.random.default_rng(0)
    kernel = model.layers[-1].kernel
    kernel.assign(rng.normal(0, 0.01, kernel.shape))
    return model


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return drawn_images(8)[0]


def test_output_is_a_distribution_over_the_classes(built, images):
    probabilities = built.predict(images, verbose=0)
    assert probabilities.shape == (8, 4)
    assert probabilities.dtype == np.float32
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_bytes_and_floats_are_read_alike(built, images):
    as_floats = built.predict(images.astype(np.float32), verbose=0)
    assert np.array_equal(built.predict(images, verbose=0), as_floats)


def test_last_hidden_layer_tells_images_apart(built, images):
    hidden = keras.Model(built.inputs, built.layers[-1].input)
    assert np.ptp(hidden.predict(images, verbose=0), axis=0).max() > 1e-3


def test_saved_and_loaded_model_predicts_the_same(built, images, tmp_path):
    record = {"spec": spec(built.name)}
    (tmp_path / "record.json").write_text(json.dumps(record))
    built.save_weights(tmp_path / "model.weights.h5")
    loaded = models.load(tmp_path)
    assert np.array_equal(loaded.predict(images, verbose=0), built.predict(images, verbose=0))


def test_saved_bytes_do_not_depend_on_models_built_before(built, tmp_path):
    saved = []
    for number in (1, 2):
        path = tmp_path / f"{number}.weights.h5"
        models.build(spec(built.name)).save_weights(path)
        saved.append(path.read_bytes())
    assert saved[0] == saved[1]


def test_first_weights_follow_the_seed(built):
    first, again, other = (
        models.build(spec(built.name), seed=seed).get_weights() for seed in (1, 1, 2)
    )
    assert all(map(np.array_equal, first, again))
    assert not np.array_equal(first[0], other[0])


def test_width_scales_the_parameters(built):
    half = models.build(spec(built.name, width=0.5))
    assert 0.2 < models.cost(half)[0] / models.cost(built)[0] < 0.3


def test_dropout_of_the_spec_replaces_the_architecture_s_own(built):
    changed = models.build(spec(built.name, dropout=0.4))
    rates = {layer.rate for layer in changed.layers if isinstance(layer, layers.Dropout)}
    assert rates == {0.4}


@pytest.mark.parametrize("size", [32, 64])
def test_other_image_sizes_build(built, size):
    model = models.build(spec(built.name, image_size=size, classes=CLASSES[:3]))
    assert model.output_shape == (None, 3)


def test_nothing_random_but_dropout_is_in_the_model(built):
    weights = {id(variable) for variable in built.weights}
    generators = sum(id(variable) not in weights for variable in built.variables)
    assert generators == sum(isinstance(layer, layers.Dropout) for layer in built.layers)


def test_seed_cnn_has_the_layers_that_the_project_began_with():
    found = []
    for layer in models.build(spec("seed_cnn")).layers:
        if isinstance(layer, layers.Conv2D):
            found.append(("conv", layer.filters, layer.kernel_size, layer.padding, layer.strides))
        elif isinstance(layer, layers.MaxPooling2D):
            found.append(("pool", layer.pool_size))
        elif isinstance(layer, layers.Dense):
            found.append(("dense", layer.units, layer.activation.__name__))
        elif isinstance(layer, layers.Dropout):
            found.append(("dropout", layer.rate))
        if isinstance(layer, layers.Conv2D):
            assert layer.activation.__name__ == "relu"
    assert found == [
        ("conv", 64, (7, 7), "same", (1, 1)),
        ("pool", (2, 2)),
        ("conv", 128, (3, 3), "same", (1, 1)),
        ("conv", 128, (3, 3), "same", (1, 1)),
        ("pool", (2, 2)),
        ("conv", 256, (3, 3), "same", (1, 1)),
        ("pool", (2, 2)),
        ("dense", 64, "relu"),
        ("dropout", 0.25),
        ("dense", 4, "softmax"),
    ]


def test_compact_costs_less_than_the_other_two():
    compact, *others = (models.cost(models.build(spec(name))) for name in models.ARCHITECTURES)
    assert all(compact[0] < parameters for parameters, _ in others)
    assert all(compact[1] < multiply_adds for _, multiply_adds in others)


def test_cost_is_the_arithmetic_of_each_layer():
    inputs = keras.Input((8, 8, 2))
    x = layers.Conv2D(4, 3, padding="same")(inputs)
    x = layers.DepthwiseConv2D(5, strides=2, padding="same", use_bias=False)(x)
    x = layers.SeparableConv2D(6, 3, padding="valid")(x)
    x = layers.Conv2D(6, 3, padding="same", groups=3)(x)
    inner = keras.Sequential([keras.Input((24,)), layers.Dense(5)])
    x = inner(layers.Flatten()(x))
    parameters = (72 + 4) + 100 + (36 + 24 + 6) + (108 + 6) + (120 + 5)
    multiply_adds = 64 * 72 + 16 * 100 + 4 * (36 + 24) + 4 * 108 + 120
    assert models.cost(keras.Model(inputs, x)) == (parameters, multiply_adds)


def test_unknown_architecture_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'vgg9'; one of compact, seed_cnn, simple_cnn"):
        models.build(spec("vgg9"))


def test_missing_backend_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ParamError, match=r"jax is not installed; run `pip install jax`"):
        models.use_backend("jax")
