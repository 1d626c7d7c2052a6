"""The trained weights that a network starts from."""

import hashlib
import json
import math
import socket
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from keras import applications

from mien.errors import ParamError
from mien.models import face_weights
from mien.models.registry import SHIPPED, build, network, trained_folder
from mien.models.registry import load as load_model
from mien.models.transfer import Network, leaves

# Seconds: a server that does not answer must not delay the run for minutes.
TIMEOUT = 20.0
# Largest step of the kernels in a shipped file, as a fraction of their standard deviation.
STEP = 0.1


@dataclass(frozen=True)
class Pretrained:
    """Trained weights of some of a network's layers.

    Attributes:
        sha256: hash of their file.
        layers: weights of each layer that has any, by its name.
        source: what was trained, and who holds the rights.
        licence: terms of use of the weights; empty: unknown.
        merged: whether batch normalisation is merged into the kernels, see
            `mien.models.face_weights.restandardise`.
    """

    sha256: str
    layers: Mapping[str, list[np.ndarray]]
    source: str = ""
    licence: str = ""
    merged: bool = False


def load(spec: Mapping[str, Any], kept: Path = face_weights.KEPT) -> Pretrained | None:
    """Return the weights that the spec's `weights` names; None for `none`.

    Clears Keras' session. `imagenet` is taken from Keras' cache or downloaded; `faces` are the
    files that `mien weights faces` fetched. For a transfer network without weights one line is
    printed that says how to get them; another line if the last layer gets new weights.

    Args:
        spec: see `mien.models.registry`.
        kept: folder of the files for `faces`.

    Raises:
        ParamError: they are not available, or are not those of this network.
        ModelError: the files for `faces` are missing or wrong.
    """
    arch, weights = spec["arch"], spec.get("weights", "none")
    wanted = network(arch)
    if weights == "none":
        if wanted:
            ways = ["faces"] * wanted.faces
            ways += [f"imagenet, or to the path of {wanted.file}"] if wanted.file else []
            print(
                f"{arch} starts from random weights; for trained ones set model.weights to "
                f"{' or '.join(ways)}",
                file=sys.stderr,
            )
        return None
    if folder := trained_folder(weights):
        return _of_model(spec, folder)
    if weights == "faces":
        if wanted is None or not wanted.faces:
            raise ParamError(
                f"model.weights: faces are weights of mobilenet, got model.arch {arch}; set "
                "model.arch to mobilenet"
            )
        return _faces(kept)
    if (SHIPPED / f"{weights}.onnx").is_file():
        raise ParamError(
            f"model.weights: {weights} comes with this version without weights to start from; "
            "train your own and give its folder, or take faces"
        )
    assert wanted is not None  # noqa: S101 `registry.check` comes first
    if wanted.file is None:
        raise ParamError(
            f"model.weights: {arch} takes none, faces or the folder of a trained {arch}, got "
            f"{weights}; for ImageNet take mobilenet_v2"
            if weights == "imagenet" or Path(weights).exists()
            else f"model.weights: there is no file or folder {weights}; {arch} takes none, faces "
            f"or the folder of a trained {arch}"
        )
    trained = _trained(arch, wanted, weights)
    source = f"ImageNet, Keras' {wanted.file}" if weights == "imagenet" else Path(weights).name
    if weights == "imagenet":
        # In the cache by now: this only returns its path.
        weights = keras.utils.get_file(wanted.file, "cached", cache_subdir="models")
    arrays = {layer.name: layer.get_weights() for layer in trained.layers}
    return Pretrained(_digest(Path(weights)), arrays, source)


def place(pretrained: Pretrained, model: keras.Model) -> None:
    """Set the weights of a network; layers without such weights keep theirs."""
    for layer in leaves(model):
        if layer.weights and layer.name in pretrained.layers:
            layer.set_weights(pretrained.layers[layer.name])


def write_start(folder: Path, name: str, target: Path) -> None:
    """Write a trained model as shippable initial weights: rounded kernels, with its spec.

    A kernel's values are rounded to the power of ten that is at most STEP of their standard
    deviation. A file of 3.2 million weights has 4 MB instead of 13. Scales, offsets and
    statistics stay as they are.

    Args:
        folder: holds the model's `record.json` and `model.weights.h5`.
        name: new name of the model.
        target: folder for the same two files; they contain no paths of this machine.
    """
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    target.mkdir(parents=True, exist_ok=True)
    weights = target / "model.weights.h5"
    with h5py.File(folder / "model.weights.h5") as whole, h5py.File(weights, "w") as small:

        def write(path: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                copy = small.require_group(path)
            else:
                values, packed = item[()], {}
                if item.ndim > 1 and (deviation := float(np.std(values))):
                    digits = math.ceil(-math.log10(STEP * deviation))
                    # HDF5 cuts off.
                    values = values.round(digits)
                    packed = {"scaleoffset": digits, "compression": "gzip", "shuffle": True}
                copy = small.create_dataset(path, data=values, **packed)
            copy.attrs.update(item.attrs)

        whole.visititems(write)
    start = record.get("pretrained", {})
    told = {
        "name": name,
        "spec": {**record["spec"], "weights": "none", "unfreeze": None},
        "pretrained": {key: start[key] for key in ("source", "sha256", "licence") if key in start},
        "weights_sha256": _digest(weights),
    }
    text = json.dumps(told, indent=2, sort_keys=True, ensure_ascii=False)
    (target / "record.json").write_text(f"{text}\n", encoding="utf-8")


def _faces(kept: Path) -> Pretrained:
    graph = face_weights.kept(kept)
    return Pretrained(
        face_weights.SHA256[face_weights.BLOB],
        face_weights.layers(face_weights.read(graph)),
        face_weights.SOURCE,
        face_weights.LICENCE,
        merged=True,
    )


def _of_model(spec: Mapping[str, Any], folder: Path) -> Pretrained:
    """Return the weights of a model of this pipeline, with its head only if the classes match."""
    file, weights = folder / "model.weights.h5", spec["weights"]
    try:
        record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        own, digest = record["spec"], _digest(file)
        if digest != record["weights_sha256"]:
            raise ParamError(
                f"model.weights: {file} is not the file that record.json beside it describes: "
                f"expected sha256 {record['weights_sha256']}, got {digest}; copy the folder anew"
            )
        if own["arch"] != spec["arch"]:
            raise ParamError(
                f"model.weights: {weights} is {own['arch']}, got model.arch {spec['arch']}; set "
                f"model.arch to {own['arch']}"
            )
        trained = load_model(folder)
    except ParamError:
        raise
    # Keras and h5py raise various exceptions for a file that is not theirs.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ParamError(
            f"model.weights: {weights} holds no model of this pipeline ({reason}); expected "
            "record.json and model.weights.h5 as in models/train"
        ) from error
    found = {layer.name: layer.get_weights() for layer in leaves(trained) if layer.weights}
    if own["classes"] != spec["classes"]:
        del found[trained.layers[-1].name]
        print(
            f"model.weights: {weights} knows {', '.join(own['classes'])}; its last layer is made "
            f"anew for {', '.join(spec['classes'])}",
            file=sys.stderr,
        )
    for layer in leaves(build(spec)):
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if layer.name in found and shapes != [array.shape for array in found[layer.name]]:
            raise ParamError(
                f"model.weights: {weights} does not fit: {layer.name} has {shapes} here and "
                f"{[array.shape for array in found[layer.name]]} there; leave the options of model "
                f"as they are and set data.image_size to {own['image_size']}"
            )
    start = record.get("pretrained") or {}
    trained_by = f"the model {record['name']} of this pipeline"
    source = f"{trained_by}, from {start['source']}" if start.get("source") else trained_by
    return Pretrained(digest, found, source, start.get("licence", ""))


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _trained(arch: str, wanted: Network, weights: str) -> keras.Model:
    """Return Keras' network with `weights`, its layers named as in `transfer.backbone`."""
    file = wanted.file
    if weights != "imagenet" and not Path(weights).is_file():
        raise ParamError(
            f"model.weights: there is no file {weights}; give none, imagenet or the path of {file}"
        )
    keras.utils.clear_session(free_memory=False)
    try:
        with _timeout(TIMEOUT), warnings.catch_warnings(action="ignore"):
            # Weights missing in the file must not stay random; Keras would only warn.
            warnings.filterwarnings("error", "Skipping nested container")
            return getattr(applications, wanted.application)(include_top=False, weights=weights)
    # Keras raises bare Exceptions, h5py OSErrors, and the readers of both formats others.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ParamError(
            f"model.weights: imagenet cannot be had for {arch} ({reason}); get {file} elsewhere "
            "and put its path in model.weights"
            if weights == "imagenet"
            else f"model.weights: {weights} does not hold {arch} without its top ({reason}); "
            f"expected a file like Keras' {file}, or .weights.h5 of the same network"
        ) from error


@contextmanager
def _timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
