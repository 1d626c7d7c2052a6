"""Export: the champion as an ONNX file that needs no TensorFlow, smaller versions, and a card."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from entry import STAGE, places, run, write_json
from mien import ensembles, faces, metrics, models
from mien.errors import ExportError
from mien.params import Params

if TYPE_CHECKING:
    from onnx import ModelProto

VALIDATION = Path("data/faces/validation")
ENSEMBLE = Path("models/ensemble")
EXPORT, METRICS = Path("models/export"), Path("metrics/export.json")
# Faces that show how far the activations reach.
CALIBRATION = 512


def main(params: Params) -> None:
    """Write the champion's file, the smaller versions that pass, the card, and what was measured.

    `model.onnx` answers as Keras does; smaller ones are `model_float16.onnx`, `model_int8.onnx`.
    """
    # Whatever the members were trained on: every backend reads the same weights.
    models.use_backend("tensorflow")
    from mien import export

    validation = faces.load(VALIDATION)
    images, labels = np.asarray(validation.images), validation.labels
    evaluation = json.loads(Path("metrics/evaluate.json").read_text())
    champion = evaluation["champion"]
    combination = json.loads((ENSEMBLE / "record.json").read_text())["combination"]
    members = combination["members"] if champion == "ensemble" else [champion]
    folders = {name: Path("models", places(params)[name]) for name in members}
    nets = {name: models.load(folder) for name, folder in folders.items()}
    said = {name: net.predict(images, batch_size=256, verbose=0) for name, net in nets.items()}
    # Calibrated out of fold, so that the card's calibration is honest.
    calibrated = np.load(ENSEMBLE / "validation.npy")
    if champion != "ensemble":
        folds = ensembles.assign_folds(labels, validation.index["group"].to_numpy(), params.seed)
        combination = ensembles.fit("mean", said, labels, folds)
        calibrated = ensembles.cross_fit("mean", said, labels, folds)
    card = export.card(
        {name: json.loads((path / "record.json").read_text()) for name, path in folders.items()},
        {name: models.cost(net) for name, net in nets.items()},
        combination,
        validation=metrics.score_faces(validation, calibrated, params.seed),
        test=evaluation["models"][champion],
    )
    expected = ensembles.combine(combination, said)
    EXPORT.mkdir(parents=True, exist_ok=True)
    write_json(EXPORT / "card.json", card)
    try:
        graph = export.combined(combination, {n: export.converted(net) for n, net in nets.items()})
        difference, files, versions = _versions(graph, card, images, labels, expected)
    except ExportError as error:
        # Not a reason to stop an experiment with a net that ONNX cannot hold.
        print(f"{STAGE}: no file for {champion}: {error}", file=sys.stderr)
        write_json(METRICS, {"champion": champion, "error": str(error)})
        return
    for name, version in versions.items():
        if version["kept"]:
            (EXPORT / f"{name}.onnx").write_bytes(files[name])
    measured = {"difference": round(difference, 6), "versions": versions}
    write_json(METRICS, {"champion": champion, **measured})


def _versions(
    graph: "ModelProto",
    card: dict[str, Any],
    images: np.ndarray,
    labels: np.ndarray,
    expected: np.ndarray,
) -> tuple[float, dict[str, bytes], dict[str, Any]]:
    """Return how far the graph is from `expected`, its versions as files, and their verdicts."""
    from mien import export

    about = card["classes"], card["image_size"], card["arch"]
    files = {"model": export.serialised(graph, *about)}
    # Before the others are made, which takes a graph that ONNX Runtime accepts.
    difference = export.checked(files["model"], images, expected)
    files["model_float16"] = export.serialised(export.half(graph), *about)
    files["model_int8"] = export.serialised(export.integer(graph, images[:CALIBRATION]), *about)
    found = {name: export.probabilities(file, images) for name, file in files.items()}
    versions = {
        name: {"bytes": len(file), **export.verdict(labels, found["model"], found[name])}
        for name, file in files.items()
    }
    return difference, files, versions


if __name__ == "__main__":
    run(main)
