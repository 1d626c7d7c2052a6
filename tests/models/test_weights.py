"""Trained weights are found, recognised and placed; what cannot be had is one line."""

import hashlib
import os

import h5py
import keras
import numpy as np
import pytest
from keras import applications
from keras.src.legacy.saving import legacy_h5_format
from keras.src.utils import file_utils
from nets import built, spec

from mien import models
from mien.errors import ParamError
from mien.models import weights
from mien.models.registry import network
from mien.models.transfer import DEVIATION, MEAN


def made(name: str, path) -> keras.Model:
    """Save weights of Keras' network `name`, random ones, as a file without its top."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(5)
    whole = getattr(applications, network(name).application)(include_top=False, weights=None)
    for layer in whole.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.set_weights([np.array(MEAN), np.array(DEVIATION), np.array(0)])
    if path.name.endswith(".weights.h5"):
        whole.save_weights(path)
    else:
        # The form of the files that Keras publishes.
        with h5py.File(path, "w") as file:
            legacy_h5_format.save_weights_to_hdf5_group(file, whole)
    return whole


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("mobilenet_v2", "made.weights.h5"),
        ("efficientnet_b0", "made_notop.h5"),
        ("xception", "made_notop.h5"),
    ],
)
def test_a_file_s_weights_are_placed_below_a_new_head(name, file, tmp_path):
    path = tmp_path / file
    whole = made(name, path)
    start = weights.load(spec(name, weights=str(path)))
    assert start.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    model = models.build(spec(name, weights=str(path)), seed=1)
    head = model.layers[-1].get_weights()
    weights.place(start, model)
    placed = 0
    for layer in model.get_layer("backbone").layers:
        expected = whole.get_layer(layer.name).get_weights() if layer.weights else []
        assert all(map(np.array_equal, layer.get_weights(), expected))
        placed += len(expected)
    kept = sum(len(x.weights) for x in whole.layers if x.name != "normalization")
    assert placed == kept > 100
    assert all(map(np.array_equal, model.layers[-1].get_weights(), head))
    assert all(map(np.array_equal, head, built(name).layers[-1].get_weights()))


def test_imagenet_is_the_file_in_keras_cache(tmp_path, monkeypatch):
    path = tmp_path / network("mobilenet_v2").file
    whole = made("mobilenet_v2", path)
    monkeypatch.setattr(file_utils, "get_file", lambda file, *_, **__: str(tmp_path / file))
    monkeypatch.setattr(keras.utils, "get_file", file_utils.get_file)
    start = weights.load(spec("mobilenet_v2", weights="imagenet"))
    assert start.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert all(map(np.array_equal, start.layers["Conv1"], whole.get_layer("Conv1").get_weights()))


def test_imagenet_that_cannot_be_had_is_one_line_that_names_the_file(tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise Exception("URL fetch failure on https://host/file:\nNone -- Name not known")

    monkeypatch.setattr(file_utils, "get_file", unreachable)
    with pytest.raises(ParamError) as caught:
        weights.load(spec("vgg16", weights="imagenet"))
    assert str(caught.value) == (
        "model.weights: imagenet cannot be had for vgg16 (URL fetch failure on https://host/file: "
        "None -- Name not known); get vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5 elsewhere "
        "and put its path in model.weights"
    )


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "absent.h5"
    with pytest.raises(ParamError, match=rf"model.weights: there is no file {path}; give none, im"):
        weights.load(spec("vgg16", weights=str(path)))


@pytest.mark.parametrize("kind", ["text", "other network", "trained model"])
def test_a_file_of_something_else_is_one_line(kind, tmp_path, recwarn):
    path = tmp_path / "wrong.weights.h5"
    if kind == "text":
        path.write_text("no weights")
    elif kind == "other network":
        made("mobilenet_v3", path)
    else:
        built("mobilenet_v2").save_weights(path)
    recwarn.clear()
    with pytest.raises(ParamError, match=rf"{path} does not hold mobilenet_v2 without") as caught:
        weights.load(spec("mobilenet_v2", weights=str(path)))
    assert "\n" not in str(caught.value)
    assert not [each for each in recwarn if each.category is UserWarning]


def test_a_transfer_net_without_weights_says_how_to_get_them(capsys):
    assert weights.load(spec("vgg16", weights="none")) is None
    said = capsys.readouterr().err
    assert said.count(os.linesep) == 1
    assert "model.weights to imagenet" in said
    assert network("vgg16").file in said
    assert weights.load(spec("compact")) is None
    assert not capsys.readouterr().err
