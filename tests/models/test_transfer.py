"""Every transfer net sees what Keras' own network sees, prepared exactly once."""

import cv2
import keras
import numpy as np
import pytest
from conftest import drawn_images
from keras import applications
from keras.src.utils import file_utils
from nets import TRANSFER, built, spec

from mien import models
from mien.models.registry import network
from mien.models.transfer import DEVIATION, MEAN

# Where Keras keeps each network's `preprocess_input`.
MODULES = {
    "vgg16": applications.vgg16,
    "vgg19": applications.vgg19,
    "resnet50": applications.resnet,
    "resnet101": applications.resnet,
    "resnet50v2": applications.resnet_v2,
    "inception_v3": applications.inception_v3,
    "xception": applications.xception,
    "mobilenet_v2": applications.mobilenet_v2,
    "mobilenet_v3": applications.mobilenet_v3,
    "densenet121": applications.densenet,
    "densenet169": applications.densenet,
    "efficientnet_b0": applications.efficientnet,
    "efficientnetv2_b0": applications.efficientnet_v2,
    "convnext_tiny": applications.convnext,
}
IMAGES = drawn_images(2)[0]


def reference(name: str, side: int, monkeypatch) -> tuple[keras.Model, list[str]]:
    """Return the network as Keras makes it for ImageNet's weights, and the file it asks for.

    Its weights are those of our model: the layers of both have the same names.
    """
    asked: list[str] = []
    monkeypatch.setattr(file_utils, "get_file", lambda file, *_, **__: asked.append(file))
    monkeypatch.setattr(keras.Model, "load_weights", lambda *_: None)
    keras.utils.clear_session(free_memory=False)
    whole = getattr(applications, network(name).application)(
        include_top=False, weights="imagenet", input_shape=(side, side, 3)
    )
    own = {layer.name: layer for layer in built(name).get_layer("backbone").layers}
    for layer in whole.layers:
        if layer.name in own:
            layer.set_weights(own[layer.name].get_weights())
        elif layer.weights:
            # EfficientNet's file: the deviation stands for the variance, Keras mends it later.
            assert name == "efficientnet_b0"
            layer.set_weights([np.array(MEAN), np.array(DEVIATION), np.array(0)])
            layer.finalize_state()
    return whole, asked


@pytest.mark.filterwarnings("ignore:`input_shape` is undefined")
@pytest.mark.parametrize("name", [name for name in TRANSFER if network(name).file])
def test_features_are_those_of_keras_network_after_its_own_preprocessing(name, monkeypatch):
    side = max(48, network(name).min_side)
    whole, asked = reference(name, side, monkeypatch)
    assert asked == [network(name).file]
    enlarged = [cv2.resize(image.astype(np.float32), (side, side)) for image in IMAGES]
    colours = np.repeat(np.stack(enlarged)[..., None], 3, axis=3)
    prepared = MODULES[name].preprocess_input(colours.copy())
    expected = np.asarray(whole(prepared)).mean(axis=(1, 2))
    ours = keras.Model(built(name).input, built(name).layers[-1].input)
    found = np.asarray(ours(IMAGES.astype(np.float32)))
    assert np.ptp(expected) > 0
    assert found == pytest.approx(expected, abs=1e-3 * float(np.abs(expected).max()))


@pytest.mark.parametrize("name", TRANSFER)
def test_the_smallest_image_is_the_smallest_that_keras_accepts(name):
    application = getattr(applications, network(name).application)
    # The MobileNets only warn, in words that no caller sees.
    if not name.startswith("mobilenet"):
        side = network(name).min_side - 1
        with pytest.raises(ValueError, match=rf"at least {side + 1}x{side + 1}"):
            application(include_top=False, weights=None, input_shape=(side, side, 3))


def test_small_faces_are_enlarged_and_large_ones_stay():
    small = models.build(spec("vgg16", image_size=24))
    large = models.build(spec("vgg16", image_size=64))
    assert small.get_layer("backbone").input_shape[1] == 32
    assert large.get_layer("backbone").input_shape[1] == 64


def test_dense_adds_a_hidden_layer():
    model = models.build(spec("vgg16", dense=9))
    assert model.layers[-1].kernel.shape == (9, 7)
