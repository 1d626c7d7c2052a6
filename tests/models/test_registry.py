"""The registry says what it knows and takes; two nets have a fixed shape, costs are arithmetic."""

import json
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import drawn_images
from keras import layers
from nets import NAMES, SCRATCH, TRANSFER, built, spec

from mien import models
from mien.errors import ParamError
from mien.models import convolutional

ROOT = Path(__file__).parents[2]


def test_registry_is_read_without_keras():
    code = (
        "import sys, mien.models as models; print(*models.ARCHITECTURES);"
        "assert models.known('vgg16') and models.transfers('vgg16');"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == NAMES


def test_the_architecture_that_the_docs_begin_with_learns():
    page = (ROOT / "docs/extending.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names = dict(vars(convolutional))
    exec(example, names)
    net = names["tiny"](48, 4, width=0.5)
    faces, _ = drawn_images(3)
    np.testing.assert_allclose(net(faces).numpy().sum(axis=1), 1, atol=1e-5)


def test_a_folder_gives_its_model_back(tmp_path):
    changed = spec("resnet", width=0.25, depth=1, attention="se", dropout=None, weights="none")
    model = models.build(changed, seed=3)
    (tmp_path / "record.json").write_text(json.dumps({"spec": changed}))
    model.save_weights(tmp_path / "model.weights.h5")
    images = drawn_images(4)[0]
    loaded = models.load(tmp_path).predict(images, verbose=0)
    assert np.array_equal(loaded, model.predict(images, verbose=0))


def test_bytes_and_floats_are_read_alike():
    images = drawn_images(4)[0]
    predict = built("compact").predict
    assert np.array_equal(predict(images, verbose=0), predict(images.astype(np.float32), verbose=0))


def test_width_scales_the_parameters():
    for name in SCRATCH:
        half = models.build(spec(name, width=0.5))
        assert 0.2 < models.cost(half)[0] / models.cost(built(name))[0] < 0.32


@pytest.mark.parametrize(
    ("option", "value", "changes"),
    [
        ("depth", 2, lambda net: len(net.layers)),
        ("kernel", 5, lambda net: [w.shape for w in net.weights]),
        ("dense", 17, lambda net: [w.shape for w in net.weights]),
        ("dropout", 0.4, lambda net: [x.rate for x in net.layers if isinstance(x, layers.Dropout)]),
        ("attention", "se", lambda net: len(net.layers)),
    ],
)
def test_an_option_changes_each_net_that_takes_it_and_no_other_does(option, value, changes):
    taken = 0
    # Where the net has the value already.
    others = {
        "compact": {"attention": "none"},
        "se_resnet": {"attention": "none"},
        "resnet": {"depth": 3},
    }
    for name in SCRATCH:
        own = others.get(name, {})
        changed = spec(name, **{option: own.get(option, value)})
        if option in models.options(name):
            assert changes(models.build(changed)) != changes(built(name)), name
            taken += 1
        else:
            with pytest.raises(ParamError, match=rf"model.{option}: {name} has no such option"):
                models.build(changed)
    assert taken > 3


def test_an_option_that_a_net_does_not_take_is_answered_with_those_it_takes():
    with pytest.raises(ParamError) as caught:
        models.check(spec("vgg16", width=2.0))
    assert str(caught.value) == (
        "model.width: vgg16 has no such option, got 2.0; leave it at 1.0; "
        "it takes dropout, dense, weights, unfreeze"
    )
    with pytest.raises(ParamError, match=r"model.weights: compact has .* leave it at \"none\""):
        models.check(spec("compact", weights="imagenet"))


def test_values_that_leave_the_choice_to_the_net_fit_all():
    for name in NAMES:
        models.check(spec(name, **models.OPTIONS))


def test_transfer_nets_are_those_that_take_weights():
    assert [name for name in NAMES if "weights" in models.options(name)] == TRANSFER


def test_seed_cnn_has_the_layers_that_the_project_began_with():
    found = []
    for layer in built("seed_cnn").layers:
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


def test_compact_costs_less_than_the_nets_it_must_beat():
    compact = models.cost(built("compact"))
    for name in ("seed_cnn", "simple_cnn"):
        assert all(
            mine < other for mine, other in zip(compact, models.cost(built(name)), strict=True)
        )


def test_mini_xception_has_as_many_parameters_as_the_paper_s():
    seven = spec("mini_xception", classes=list("abcdefg"), image_size=64)
    assert models.cost(models.build(seven))[0] == 58_423


def test_cost_is_the_arithmetic_of_each_layer():
    inputs = keras.Input((8, 8, 2))
    x = layers.Conv2D(4, 3, padding="same")(inputs)
    x = layers.DepthwiseConv2D(5, strides=2, padding="same", use_bias=False)(x)
    x = layers.SeparableConv2D(6, 3, padding="valid")(x)
    x = layers.Conv2D(6, 3, padding="same", groups=3)(x)
    inner = keras.Sequential([keras.Input((24,)), layers.Dense(5)])
    places = layers.Reshape((4, 6))(x)
    pairs = layers.Dot(axes=2)([places, places])
    mixed = layers.Dot(axes=(2, 1))([pairs, places])
    x = inner(layers.Flatten()(mixed))
    parameters = (72 + 4) + 100 + (36 + 24 + 6) + (108 + 6) + (120 + 5)
    products = 4 * 4 * 6 + 4 * 6 * 4
    multiply_adds = 64 * 72 + 16 * 100 + 4 * (36 + 24) + 4 * 108 + products + 120
    assert models.cost(keras.Model(inputs, x)) == (parameters, multiply_adds)


def test_unknown_architecture_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'vgg9'; one of compact, seed_cnn, simple_cnn, two_conv"):
        models.build(spec("vgg9"))


def test_missing_backend_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ParamError, match=r"jax is not installed; run `pip install jax`"):
        models.use_backend("jax")
