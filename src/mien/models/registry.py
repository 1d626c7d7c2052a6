"""The registry of architectures: the files in `mien/architectures`. Does not import Keras.

An architecture is a file NAME.py there. It has `SOURCE` (a paper, or whose network it is),
optionally `LEARNING_RATE` (a rate at which it trains from random weights with the other params as
in params.yaml), and `build(size, classes, *, ...)`. The keyword arguments of `build` are options of
`model` in params.yaml, with the architecture's defaults. One of Keras' networks also has `NETWORK`,
see `mien.models.transfer`.

A model is described by a spec that can be written as JSON: `arch`, `classes` (list of str),
`image_size`, and the options of OPTIONS; a missing option has the value it has there.

A model maps grey faces, (N, S, S), 0 to 255, to float32 probabilities, (N, C), in the order of
`classes`. The rescaling is part of the model.
"""

from __future__ import annotations

import ast
import csv
import importlib
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mien.errors import ParamError
from mien.models.devices import spread, synchronise

if TYPE_CHECKING:
    import keras

    from mien.models.transfer import Network

FOLDER = Path(__file__).resolve().parents[1] / "architectures"
# For networks with batch normalisation; those without may stay at chance at this rate.
LEARNING_RATE = 0.002

# The options a builder may have, with the value that means the architecture's default. The last two
# do not affect the network itself: they say how training starts.
OPTIONS: dict[str, Any] = {
    "width": 1.0,
    "dropout": None,
    "attention": None,
    "depth": None,
    "kernel": None,
    "dense": None,
    "side": None,
    "weights": "none",
    "unfreeze": None,
}
PRETRAINING = ("weights", "unfreeze")
# Default input side of a transfer network with trained weights, pixels: the weights were trained on
# larger images, and 48 pixels would leave its last layers a feature map of 2 by 2.
TRAINED_SIDE = 96
# Folder of the models that are shipped with the package.
SHIPPED = FOLDER.parent / "pretrained"


def names() -> list[str]:
    """Return the names of all architectures in alphabetical order."""
    return sorted(file.stem for file in FOLDER.glob("*.py") if not file.stem.startswith("_"))


def known(name: str) -> str:
    """Return `name` if there is such an architecture.

    Raises:
        ValueError: there is none; the message lists the existing ones.
    """
    if name not in names():
        raise ValueError(f"unknown architecture {name!r}; one of {', '.join(names())}")
    return name


def module(name: str) -> ModuleType:
    """Return the module of an architecture. Imports Keras."""
    return importlib.import_module(f"mien.architectures.{known(name)}")


def source(name: str) -> str:
    """Return the architecture's SOURCE, without importing its file."""
    tree = ast.parse((FOLDER / f"{known(name)}.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SOURCE":
            return str(ast.literal_eval(node.value))
    return ""


def measured_costs() -> dict[str, tuple[int, int]]:
    """Return parameters and multiply-adds of the architectures in architectures/costs.csv.

    They are for the defaults, one face of 48 by 48 pixels and 7 classes. An architecture that is
    not in the table must be built and measured, see `cost`.
    """
    with (FOLDER / "costs.csv").open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        return {row["name"]: (int(row["parameters"]), int(row["multiply_adds"])) for row in rows}


def learning_rate(name: str) -> float:
    """Return the default learning rate for random initial weights. Imports Keras."""
    return getattr(module(name), "LEARNING_RATE", LEARNING_RATE)


def network(name: str) -> Network | None:
    """Return the architecture's network in Keras, None if it is not one. Imports Keras."""
    return getattr(module(name), "NETWORK", None)


def options(name: str) -> tuple[str, ...]:
    """Return the OPTIONS that the architecture has. Imports Keras."""
    return (*defaults(name), *(PRETRAINING if network(name) else ()))


def defaults(name: str) -> dict[str, Any]:
    """Return the keyword arguments of the architecture's builder with their defaults.

    Imports Keras.
    """
    parameters = inspect.signature(module(name).build).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}


def check(spec: Mapping[str, Any]) -> None:
    """Check that the architecture has every option that the spec sets. Imports Keras.

    Raises:
        ParamError: it does not; the message lists its options.
    """
    taken = options(spec["arch"])
    # Any network can start from one that this pipeline trained.
    also = PRETRAINING if trained_folder(spec.get("weights", "none")) else ()
    for option in _chosen(spec):
        if option not in (*taken, *also):
            raise ParamError(
                f"model.{option}: {spec['arch']} has no such option, got {spec[option]!r}; leave "
                f"it at {json.dumps(OPTIONS[option])}; it takes {', '.join(taken)}"
            )


def trained_folder(weights: str) -> Path | None:
    """Return the folder that `model.weights` names, if it holds a model of this pipeline.

    Args:
        weights: its path, or the name of a model that comes with the package.
    """
    folders = [Path(weights), SHIPPED / weights]
    return next((each for each in folders if (each / "record.json").is_file()), None)


def starts_from(name: str, weights: str) -> bool:
    """Return whether the architecture has a place for what `model.weights` names. Imports Keras."""
    if folder := trained_folder(weights):
        record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        return bool(record.get("spec", {}).get("arch") == name)
    if weights in ("none", "faces"):
        found = network(name)
        return weights == "none" or (found is not None and found.faces)
    return network(name) is not None


def adapted(model: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return options of `model` for another architecture; those it lacks get their default.

    Imports Keras.

    Args:
        model: `arch` and the options of a network.
        name: the other architecture.
    """
    taken: tuple[str, ...] = options(name)
    if starts_from(name, model["weights"]):
        taken = (*taken, *PRETRAINING)
    else:
        taken = tuple(option for option in taken if option not in PRETRAINING)
    own = {key: value if key in taken else OPTIONS.get(key) for key, value in model.items()}
    return {**own, "arch": name}


def settled(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec with the options that follow from its `weights`, if unset. Imports Keras.

    A network that starts from a model of this pipeline takes its options; one of Keras' networks
    with trained weights gets `side` TRAINED_SIDE, or the side of the faces if that is larger.
    """
    weights = spec.get("weights", "none")
    if weights == "none":
        return dict(spec)
    if folder := trained_folder(weights):
        record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        own = record.get("spec", {})
        left = [key for key, value in OPTIONS.items() if spec.get(key, value) == value]
        return {**spec, **{key: own[key] for key in left if key in own and key not in PRETRAINING}}
    if spec.get("side") is None and network(spec["arch"]):
        return {**spec, "side": max(TRAINED_SIDE, spec["image_size"])}
    return dict(spec)


def _chosen(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that the spec sets."""
    return {
        option: spec[option]
        for option, own in OPTIONS.items()
        if option in spec and spec[option] != own
    }


def build(
    spec: Mapping[str, Any], seed: int = 0, precision: str = "float32", devices: int = 1
) -> keras.Model:
    """Return a new model for `spec` with random weights.

    Clears Keras' session and sets the seeds of Keras, Python and NumPy.

    Args:
        spec: see above.
        seed: seed of the initial weights.
        precision: Keras' dtype policy; weights and output are float32 in any case.
        devices: number of devices, see `spread`.

    Raises:
        ValueError: the spec's architecture does not exist.
        ParamError: it does not have an option that the spec sets.
    """
    import keras

    check(spec)
    # Layers are numbered per session, and their names are stored in the weights file, whose bytes
    # would otherwise depend on the models built before.
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(precision)
    shaping = {key: value for key, value in _chosen(spec).items() if key not in PRETRAINING}
    try:
        with spread(devices):
            new = module(spec["arch"]).build
            model = new(spec["image_size"], len(spec["classes"]), **shaping)
    finally:
        keras.config.set_dtype_policy("float32")
    if devices > 1:
        synchronise(model)
    return model


def load(folder: Path) -> keras.Model:
    """Return the model stored in `folder` as `record.json` and `model.weights.h5`."""
    spec = json.loads((folder / "record.json").read_text())["spec"]
    # The weights that it started from may no longer exist.
    model = build({**spec, "weights": "none", "unfreeze": None})
    model.load_weights(folder / "model.weights.h5")
    return model
