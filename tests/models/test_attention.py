"""Attention weights what it should, in every net that takes it, and can be looked at."""

import keras
import numpy as np
import pytest
from conftest import drawn_images
from keras import layers
from nets import SCRATCH, gradients, spec

from mien import models
from mien.models.attention import attend, maps

IMAGES, CODES = drawn_images(4)
KINDS = ("se", "cbam", "self")


# Squeeze-and-excitation is a half of CBAM.
@pytest.mark.parametrize("kind", ["cbam", "self"])
@pytest.mark.parametrize("name", [name for name in SCRATCH if "attention" in models.options(name)])
def test_attention_trains_in_every_net_from_scratch(name, kind):
    model = models.build(spec(name, attention=kind, width=0.5), seed=1)
    paths = [weight.path for weight in model.trainable_weights]
    found = gradients(model, IMAGES, CODES)
    assert [path for path, each in zip(paths, found, strict=True) if not np.any(each)] == []
    assert maps(model, IMAGES)


def block(kind: str) -> keras.Model:
    inputs = keras.Input((5, 5, 16))
    keras.utils.set_random_seed(0)
    return keras.Model(inputs, attend(inputs, kind, 1, 1))


@pytest.fixture
def features() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(3, 5, 5, 16)).astype(np.float32)


def test_squeeze_excite_weights_channels(features):
    weighted = block("se").predict(features, verbose=0) / features
    assert np.ptp(weighted, axis=(1, 2)) == pytest.approx(0, abs=1e-4)
    assert ((weighted > 0) & (weighted < 1)).all()
    assert np.ptp(weighted, axis=3).max() > 1e-3
    shown = maps(block("se"), features)["attention_1"]
    assert shown == pytest.approx(weighted[:, 0, 0, :], abs=1e-4)


def test_cbam_weights_channels_then_places(features):
    """The weights are a product: of rank 1 over places and channels."""
    weighted = (block("cbam").predict(features, verbose=0) / features).reshape(3, 25, 16)
    values = np.linalg.svd(weighted, compute_uv=False)
    assert (values[:, 1] < 1e-4 * values[:, 0]).all()
    assert np.ptp(weighted, axis=1).min() > 1e-4
    shown = maps(block("cbam"), features)["attention_1"].reshape(3, 25)
    ratios = weighted[:, :, 0] / shown
    assert np.ptp(ratios, axis=1) == pytest.approx(0, abs=1e-4)


def test_self_attention_is_scaled_dot_product_attention_around_a_residual(features):
    model = block("self")
    places = features.reshape(3, 25, 16)
    norm = (places - places.mean(-1, keepdims=True)) / np.sqrt(places.var(-1, keepdims=True) + 1e-3)
    dense = [layer for layer in model.layers if isinstance(layer, layers.Dense)]
    query, key, value = (norm @ layer.get_weights()[0] for layer in dense[:3])
    scores = np.exp(query @ key.transpose(0, 2, 1) / np.sqrt(8))
    weights = scores / scores.sum(-1, keepdims=True)
    kernel, bias = dense[3].get_weights()
    expected = places + (weights @ value) @ kernel + bias
    assert model.predict(features, verbose=0).reshape(3, 25, 16) == pytest.approx(
        expected, abs=1e-4
    )
    shown = maps(model, features)["attention_1"]
    assert shown == pytest.approx(weights.mean(axis=1).reshape(3, 5, 5), abs=1e-5)
    assert shown.sum(axis=(1, 2)) == pytest.approx(1, abs=1e-5)


def test_only_the_last_stage_attends_to_itself_and_none_does_without_attention():
    shown = {kind: maps(models.build(spec("vgg", attention=kind)), IMAGES) for kind in KINDS}
    assert [list(shown[kind]) for kind in ("se", "cbam")] == [
        [f"attention_{stage}" for stage in (1, 2, 3, 4)]
    ] * 2
    assert list(shown["self"]) == ["attention_4"]
    assert shown["cbam"]["attention_2"].shape == (4, 12, 12)
    assert maps(models.build(spec("vgg")), IMAGES) == {}
