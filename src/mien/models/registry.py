"""The registry of architectures: the files in `mien/architectures`. Importing it imports no Keras.

An architecture is a file NAME.py there. It holds `SOURCE` (the paper, or whose net it is), perhaps
`LEARNING_RATE` (at which it learns from random weights with the other params as they are), and
`build(size, classes, *, ...)`, whose keyword arguments are options of `model` in params.yaml, each
with the net's own value. One of Keras' networks also has its `NETWORK`, see `mien.models.transfer`.

A model is described by a spec, which JSON can hold: `arch`, `classes` (list of str),
`image_size`, and the options of OPTIONS; an option left out has the value it has there.

A model maps grey faces, (N, S, S), 0 to 255, to float32 probabilities, (N, C), in the order of
`classes`. The rescaling is inside.
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
# For nets with batch normalisation; those without may stay at chance.
LEARNING_RATE = 0.002

# What a builder may take, and the value that leaves the choice to the architecture. The last
# two do not shape the net: training starts from them.
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
# Side to which a transfer net with trained weights sees faces, pixels, if not told another: its
# weights know larger pictures, and of 48 pixels its last layers would see four places.
TRAINED_SIDE = 96
# Where the models that come with the package lie.
SHIPPED = FOLDER.parent / "pretrained"


def names() -> list[str]:
    """Return the names of all architectures, in the order of the alphabet."""
    return sorted(file.stem for file in FOLDER.glob("*.py") if not file.stem.startswith("_"))


def known(name: str) -> str:
    """Return `name` if there is such an architecture.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    if name not in names():
        raise ValueError(f"unknown architecture {name!r}; one of {', '.join(names())}")
    return name


def module(name: str) -> ModuleType:
    """Return the module of an architecture. Imports Keras."""
    return importlib.import_module(f"mien.architectures.{known(name)}")


def source(name: str) -> str:
    """Return the architecture's SOURCE. Imports nothing."""
    tree = ast.parse((FOLDER / f"{known(name)}.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SOURCE":
            return str(ast.literal_eval(node.value))
    return ""


def measured_costs() -> dict[str, tuple[int, int]]:
    """Return parameters and multiply-adds of the architectures in architectures/costs.csv.

    They are those of the defaults for one face of 48 by 48 pixels and 7 classes; a net that is
    not in the table has to be built to be measured, see `cost`.
    """
    with (FOLDER / "costs.csv").open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        return {row["name"]: (int(row["parameters"]), int(row["multiply_adds"])) for row in rows}


def learning_rate(name: str) -> float:
    """Return the rate at which the architecture learns from random weights. Imports Keras."""
    return getattr(module(name), "LEARNING_RATE", LEARNING_RATE)


def network(name: str) -> Network | None:
    """Return which of Keras' networks the architecture is; None: none of them. Imports Keras."""
    return getattr(module(name), "NETWORK", None)


def options(name: str) -> tuple[str, ...]:
    """Return the OPTIONS that the architecture takes. Imports Keras."""
    return (*defaults(name), *(PRETRAINING if network(name) else ()))


def defaults(name: str) -> dict[str, Any]:
    """Return the options that shape the net, its builder's keywords, with its own values.

    Imports Keras.
    """
    parameters = inspect.signature(module(name).build).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}


def check(spec: Mapping[str, Any]) -> None:
    """Do nothing if the architecture takes every option that the spec sets. Imports Keras.

    Raises:
        ParamError: it does not; the message lists those it takes.
    """
    taken = options(spec["arch"])
    # Any net can start from one that this pipeline trained.
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
    """Return options of `model` for another architecture: what it does not take is left to it.

    Imports Keras.

    Args:
        model: `arch` and the options of a net.
        name: the architecture that they are for.
    """
    taken: tuple[str, ...] = options(name)
    if starts_from(name, model["weights"]):
        taken = (*taken, *PRETRAINING)
    else:
        taken = tuple(option for option in taken if option not in PRETRAINING)
    own = {key: value if key in taken else OPTIONS.get(key) for key, value in model.items()}
    return {**own, "arch": name}


def settled(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec with what its `weights` settle, where it leaves that open. Imports Keras.

    A net that starts from a model of this pipeline has its options; one of Keras' networks with
    trained weights sees faces at TRAINED_SIDE, or larger if they are.
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
            new = module(spec["arch"]).build
            model = new(spec["image_size"], len(spec["classes"]), **shaping)
    finally:
        keras.config.set_dtype_policy("float32")
    if devices > 1:
        synchronise(model)
    return model


def load(folder: Path) -> keras.Model:
    """Return the model whose `record.json` and `model.weights.h5` lie in `folder`."""
    spec = json.loads((folder / "record.json").read_text())["spec"]
    # What it started from may be gone since.
    model = build({**spec, "weights": "none", "unfreeze": None})
    model.load_weights(folder / "model.weights.h5")
    return model
