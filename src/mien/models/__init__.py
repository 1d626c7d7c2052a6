"""The registry of architectures. Importing it does not import Keras.

A model is described by a spec, which JSON can hold: `arch`, `classes` (list of str),
`image_size`, and the options of OPTIONS; an option left out has the value it has there.

It maps grey faces, (N, S, S), 0 to 255, to float32 probabilities, (N, C), in the order of
`classes`. The rescaling is inside.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mien.errors import ParamError
from mien.models.backend import use_backend
from mien.models.costs import cost
from mien.models.devices import spread, synchronise

if TYPE_CHECKING:
    import keras

__all__ = ["ARCHITECTURES", "OPTIONS", "build", "check", "cost", "defaults", "known", "load"]
__all__ += ["options", "spread", "transfers", "use_backend"]


# Suits nets with batch normalisation; those without may stay at chance.
RATE = 0.002


class Architecture(NamedTuple):
    """Where an architecture comes from.

    Attributes:
        module: of this package; it holds the builder of the architecture's name. The builders
            of `transfer` are all made from its table.
        source: the paper, or whose net it is.
        learning_rate: at which it learns from random weights with the other params as they are.
    """

    module: str
    source: str
    learning_rate: float = RATE


ARCHITECTURES = {
    "compact": Architecture("compact", "this project"),
    "seed_cnn": Architecture("convolutional", "this project's first net", 0.0005),
    "simple_cnn": Architecture("convolutional", "this project"),
    "two_conv": Architecture("convolutional", "this project"),
    "leaky_cnn": Architecture("convolutional", "this project"),
    "deep_cnn": Architecture("convolutional", "this project"),
    "complex_cnn": Architecture("convolutional", "this project"),
    "vgg": Architecture("convolutional", "narrow, after Simonyan & Zisserman 2015"),
    "resnet": Architecture("residual", "narrow, after He et al. 2016"),
    "se_resnet": Architecture("residual", "this project"),
    "mini_xception": Architecture("residual", "Arriaga et al. 2017, arXiv:1710.07557"),
    "vgg16": Architecture("transfer", "Simonyan & Zisserman 2015, arXiv:1409.1556", 0.0001),
    "vgg19": Architecture("transfer", "Simonyan & Zisserman 2015, arXiv:1409.1556", 0.0001),
    "resnet50": Architecture("transfer", "He et al. 2016, arXiv:1512.03385"),
    "resnet101": Architecture("transfer", "He et al. 2016, arXiv:1512.03385"),
    "resnet50v2": Architecture("transfer", "He et al. 2016, arXiv:1603.05027"),
    "inception_v3": Architecture("transfer", "Szegedy et al. 2016, arXiv:1512.00567"),
    "xception": Architecture("transfer", "Chollet 2017, arXiv:1610.02357"),
    "mobilenet_v2": Architecture("transfer", "Sandler et al. 2018, arXiv:1801.04381"),
    "mobilenet_v3": Architecture("transfer", "Howard et al. 2019, arXiv:1905.02244, large"),
    "densenet121": Architecture("transfer", "Huang et al. 2017, arXiv:1608.06993"),
    "densenet169": Architecture("transfer", "Huang et al. 2017, arXiv:1608.06993"),
    "efficientnet_b0": Architecture("transfer", "Tan & Le 2019, arXiv:1905.11946"),
    "efficientnetv2_b0": Architecture("transfer", "Tan & Le 2021, arXiv:2104.00298"),
    "convnext_tiny": Architecture("transfer", "Liu et al. 2022, arXiv:2201.03545"),
}

# What a builder may take, and the value that leaves the choice to the architecture. The last
# two do not shape the net: training starts from them.
OPTIONS: dict[str, Any] = {
    "width": 1.0,
    "dropout": None,
    "attention": None,
    "depth": None,
    "kernel": None,
    "dense": None,
    "weights": "none",
    "unfreeze": 0,
}
PRETRAINING = ("weights", "unfreeze")


def known(name: str) -> str:
    """Return `name` if it is a registered architecture.

    Raises:
        ValueError: it is not; the message lists those that are.
    """
    if name not in ARCHITECTURES:
        raise ValueError(f"unknown architecture {name!r}; one of {', '.join(ARCHITECTURES)}")
    return name


def transfers(name: str) -> bool:
    """Return whether the architecture can start from weights learnt on ImageNet."""
    return ARCHITECTURES[known(name)].module == "transfer"


def options(name: str) -> tuple[str, ...]:
    """Return the OPTIONS that the architecture takes. Imports Keras."""
    return (*defaults(name), *(PRETRAINING if transfers(name) else ()))


def defaults(name: str) -> dict[str, Any]:
    """Return the options that shape the net, its builder's keywords, with its own values.

    Imports Keras.
    """
    parameters = inspect.signature(_builder(name)).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}


def check(spec: Mapping[str, Any]) -> None:
    """Do nothing if the architecture takes every option that the spec sets. Imports Keras.

    Raises:
        ParamError: it does not; the message lists those it takes.
    """
    taken = options(spec["arch"])
    for option in _chosen(spec):
        if option not in taken:
            raise ParamError(
                f"model.{option}: {spec['arch']} has no such option, got {spec[option]!r}; leave "
                f"it at {json.dumps(OPTIONS[option])}; it takes {', '.join(taken)}"
            )


def _chosen(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that the spec sets."""
    return {
        option: spec[option]
        for option, own in OPTIONS.items()
        if option in spec and spec[option] != own
    }


def _builder(name: str) -> Callable[..., keras.Model]:
    module = importlib.import_module(f"mien.models.{ARCHITECTURES[known(name)].module}")
    return functools.partial(module.build, name) if transfers(name) else getattr(module, name)


def build(
    spec: Mapping[str, Any], seed: int = 0, precision: str = "float32", devices: int = 1
) -> keras.Model:
    """Return a new model for `spec`, its weights random.

    Clears Keras' session and sets its seed, and Python's and NumPy's.

    Args:
        spec: see above.
        seed: of the first weights.
        precision: Keras' dtype policy; weights and output are float32 whatever it is.
        devices: over which the model is spread, see `spread`.

    Raises:
        ValueError: the spec's architecture is not registered.
        ParamError: it does not take an option that the spec sets.
    """
    import keras

    check(spec)
    # Layers are numbered through the session, and their names enter the weights file, whose
    # bytes would else depend on the models built before.
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(precision)
    shaping = {key: value for key, value in _chosen(spec).items() if key not in PRETRAINING}
    try:
        with spread(devices):
            model = _builder(spec["arch"])(spec["image_size"], len(spec["classes"]), **shaping)
    finally:
        keras.config.set_dtype_policy("float32")
    if devices > 1:
        synchronise(model)
    return model


def load(folder: Path) -> keras.Model:
    """Return the model whose `record.json` and `model.weights.h5` lie in `folder`."""
    model = build(json.loads((folder / "record.json").read_text())["spec"])
    model.load_weights(folder / "model.weights.h5")
    return model
