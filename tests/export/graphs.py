"""Nets that answer as trained ones do and their graphs, each made once in a process."""

import functools

import keras
import numpy as np
import onnx
from conftest import CLASSES, drawn_images

from mien import models
from mien.export.canonical import serialised
from mien.export.conversion import converted
from mien.models import registry

SCRATCH = [name for name in registry.names() if registry.network(name) is None]
IMAGES, _ = drawn_images(32)


@functools.cache
def net(arch: str, seed: int = 1, **options: object) -> keras.Model:
    """Return a net that gives different faces different answers, as a trained one does."""
    narrow = {"width": 0.25} if "width" in models.options(arch) else {}
    spec = {"arch": arch, "classes": list(CLASSES), "image_size": 48, **narrow, **options}
    model = models.build(spec, seed)
    rng = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        if len(weight.shape) == 1:
            weight.assign(weight + rng.uniform(-0.1, 0.1, weight.shape))
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    # Leaves the statistics of these faces behind.
    model(IMAGES.astype(np.float32), training=True)
    return model


@functools.cache
def said(arch: str, seed: int = 1, **options: object) -> np.ndarray:
    return np.asarray(net(arch, seed, **options)(IMAGES.astype(np.float32)))


@functools.cache
def graph(arch: str, seed: int = 1, **options: object) -> onnx.ModelProto:
    return converted(net(arch, seed, **options))


def file(made: onnx.ModelProto) -> bytes:
    return serialised(made, CLASSES, 48, "compact")
