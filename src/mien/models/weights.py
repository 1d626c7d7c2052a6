"""The pretrained weights that a transfer network starts from."""

import hashlib
import socket
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import applications

from mien.errors import ParamError
from mien.models.registry import network
from mien.models.transfer import Network

# Seconds: a server that does not answer must not delay the run for minutes.
TIMEOUT = 20.0


@dataclass(frozen=True)
class Pretrained:
    """Weights of one of Keras' networks without its top.

    Attributes:
        sha256: hash of their file.
        layers: weights of each layer, by its name.
    """

    sha256: str
    layers: Mapping[str, list[np.ndarray]]


def load(spec: Mapping[str, Any]) -> Pretrained | None:
    """Return the weights that the spec's `weights` names; None for `none`.

    Clears Keras' session. `imagenet` is taken from Keras' cache or downloaded. For a transfer
    network without weights one line is printed that says how to get them.

    Raises:
        ParamError: they are not available, or are not those of this network without its top.
    """
    arch, weights = spec["arch"], spec.get("weights", "none")
    if weights == "none":
        if found := network(arch):
            print(
                f"{arch} starts from random weights; for trained ones set model.weights to "
                f"imagenet, or to the path of {found.file}",
                file=sys.stderr,
            )
        return None
    wanted = network(arch)
    assert wanted is not None  # noqa: S101 `registry.check` comes first
    trained = _trained(arch, wanted, weights)
    if weights == "imagenet":
        # In the cache by now: this only returns its path.
        weights = keras.utils.get_file(wanted.file, "cached", cache_subdir="models")
    with open(weights, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Pretrained(digest, {layer.name: layer.get_weights() for layer in trained.layers})


def place(pretrained: Pretrained, model: keras.Model) -> None:
    """Set the weights of a transfer network; its head is not changed."""
    for layer in model.get_layer("backbone").layers:
        layer.set_weights(pretrained.layers[layer.name] if layer.weights else [])


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
