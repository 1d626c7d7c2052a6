"""Conversion: ONNX Runtime answers what Keras answers."""

import json

import keras
import numpy as np
import onnxruntime as ort
import pytest
from conftest import CLASSES
from graphs import IMAGES, SCRATCH, file, graph, net, said

from mien import models
from mien.export.checking import checked
from mien.export.conversion import converted


@pytest.mark.parametrize("arch", [*SCRATCH, "mobilenet_v2"])
def test_onnx_runtime_answers_as_keras_does(arch):
    # Different faces get different answers, or the next line would mean little.
    assert np.ptp(said(arch), axis=0).max() > 0.02
    assert checked(file(graph(arch)), IMAGES, said(arch)) < 1e-5


def test_a_net_is_exported_whatever_was_built_since():
    """Keras counts names up, and begins anew for each net that is built."""
    spec = {"arch": "simple_cnn", "width": 0.1, "classes": CLASSES, "image_size": 48}
    for arch in ("compact", "simple_cnn", "two_conv"):
        first = models.build({**spec, "arch": "compact"}, seed=1)
        models.build({**spec, "arch": arch}, seed=1)
        expected = np.asarray(first(IMAGES.astype(np.float32)))
        assert checked(file(converted(first)), IMAGES, expected) < 1e-5


@pytest.mark.parametrize("attention", ["cbam", "self"])
def test_attention_is_exported_too(attention):
    options = {"arch": "resnet", "attention": attention, "depth": 1}
    assert checked(file(graph(**options)), IMAGES, said(**options)) < 1e-5


@pytest.mark.parametrize("kind", ["resized", "padded"])
def test_what_onnx_runtime_gets_wrong_is_mended(kind):
    x = inputs = keras.Input((48, 48), dtype="float32")
    x = keras.layers.Rescaling(1 / 255, offset=-2)(keras.layers.Reshape((48, 48, 1))(x))
    x = keras.layers.Conv2D(3, 3, bias_initializer=keras.initializers.Constant(-9.0))(x)
    if kind == "resized":
        x = keras.ops.image.resize(x, (71, 71))
    else:
        x = keras.layers.MaxPooling2D(3, 2)(keras.layers.ZeroPadding2D(1)(x))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(3, 3)(x))
    model = keras.Model(inputs, keras.layers.Dense(4, "softmax")(x))
    expected = np.asarray(model(IMAGES.astype(np.float32)))
    assert checked(file(converted(model)), IMAGES, expected) < 1e-5


def test_the_file_says_what_to_feed_it():
    session = ort.InferenceSession(file(graph("compact")))
    (image,) = session.get_inputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(uint8)", ["N", 48, 48])
    probabilities = session.get_outputs()[0]
    assert (probabilities.name, probabilities.type) == ("probabilities", "tensor(float)")
    assert probabilities.shape == ["N", 4]
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["classes"]) == list(CLASSES)
    assert (told["image_size"], told["arch"]) == ("48", "compact")
    for count in (1, 5):
        assert session.run(None, {"image": IMAGES[:count]})[0].shape == (count, 4)


@pytest.mark.parametrize("arch", ["compact", "mini_xception"])
def test_the_mean_of_a_class_map_is_its_logit(arch):
    session = ort.InferenceSession(file(graph(arch)))
    found, maps = session.run(["probabilities", "maps"], {"image": IMAGES})
    assert maps.shape[:2] == (32, 4)
    assert maps.std(axis=(2, 3)).min() > 0
    odds = np.exp(maps.mean(axis=(2, 3)))
    assert odds / odds.sum(axis=1, keepdims=True) == pytest.approx(found, abs=1e-5)


def test_a_class_map_is_what_the_last_layer_makes_of_each_place():
    model = net("compact")
    pool, head = model.layers[-3], model.layers[-1]
    features = keras.Model(model.input, pool.input)(IMAGES.astype(np.float32))
    kernel, bias = head.get_weights()
    expected = np.einsum("nhwk,kc->nchw", features, kernel) + bias[:, None, None]
    (found,) = ort.InferenceSession(file(graph("compact"))).run(["maps"], {"image": IMAGES})
    assert found == pytest.approx(expected, abs=1e-4)
