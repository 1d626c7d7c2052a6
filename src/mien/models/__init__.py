"""The registry of architectures. Importing it does not import Keras.

A model is described by a spec, which JSON can hold:

    {"arch": str, "width": float, "dropout": float | None, "classes": [str], "image_size": int}

It maps grey faces, (N, S, S), 0 to 255, to float32 probabilities, (N, C), in the order of
`classes`. The rescaling is inside.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.errors import ParamError

if TYPE_CHECKING:
    import keras

# Name to the module of this package that holds the builder of the same name.
ARCHITECTURES = {
    "compact": "compact",
    "seed_cnn": "convolutional",
    "simple_cnn": "convolutional",
}


def known(name: str) -> str:
    """Return `name` if it is a registered architecture.

    Raises:
        ValueError: it is not; the message lists those that are.
    """
    if name not in ARCHITECTURES:
        raise ValueError(f"unknown architecture {name!r}; one of {', '.join(ARCHITECTURES)}")
    return name


def use_backend(name: str) -> None:
    """Import Keras on backend `name`, without the lines that TensorFlow greets with.

    Raises:
        ParamError: the backend is not installed.
    """
    if importlib.util.find_spec(name) is None:
        raise ParamError(f"train.backend: {name} is not installed; run `pip install {name}`")
    os.environ["KERAS_BACKEND"] = name
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # It warns of models built in a loop, which folds and trials are.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with _silent_stderr():
        importlib.import_module("keras")


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Drop what is written to file descriptor 2: C++ libraries know no `sys.stderr`."""
    sys.stderr.flush()
    stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)


def build(spec: Mapping[str, Any], seed: int = 0, precision: str = "float32") -> keras.Model:
    """Return a new model for `spec`.

    Clears Keras' session and sets its seed, and Python's and NumPy's.

    Args:
        spec: see above.
        seed: of the first weights.
        precision: Keras' dtype policy; weights and output are float32 whatever it is.

    Raises:
        ValueError: the spec's architecture is not registered.
    """
    import keras

    name = known(spec["arch"])
    module = importlib.import_module(f"mien.models.{ARCHITECTURES[name]}")
    # Layers are numbered through the session, and their names enter the weights file, whose
    # bytes would else depend on the models built before.
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(precision)
    try:
        return getattr(module, name)(spec)
    finally:
        keras.config.set_dtype_policy("float32")


def load(folder: Path) -> keras.Model:
    """Return the model whose `record.json` and `model.weights.h5` lie in `folder`."""
    model = build(json.loads((folder / "record.json").read_text())["spec"])
    model.load_weights(folder / "model.weights.h5")
    return model


def cost(model: keras.Model) -> tuple[int, int]:
    """Return the model's parameters, and the multiply-adds of one image.

    Multiply-adds are counted in convolutions and dense layers, without biases; everything
    else is small beside them.
    """
    return model.count_params(), sum(_multiply_adds(layer) for layer in model.layers)


def _multiply_adds(layer: keras.Layer) -> int:
    import keras

    if isinstance(layer, keras.Model):
        return cost(layer)[1]
    if isinstance(layer, keras.layers.Dense):
        kernels, places = [layer.kernel], layer.output.shape[1:-1]
    elif isinstance(layer, keras.layers.SeparableConv2D):
        kernels = [layer.depthwise_kernel, layer.pointwise_kernel]
        places = layer.output.shape[1:-1]
    elif isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
        kernels, places = [layer.kernel], layer.output.shape[1:-1]
    else:
        return 0
    return sum(math.prod(kernel.shape) for kernel in kernels) * math.prod(places)
