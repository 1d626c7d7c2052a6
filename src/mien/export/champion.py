"""The champion as ONNX: its graph, smaller versions that pass checks, its card, measurements."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mien import metrics
from mien.ensembling import combination
from mien.errors import ExportError
from mien.export.canonical import serialised
from mien.export.card import card
from mien.export.checking import checked, probabilities, verdict
from mien.export.combination import combined
from mien.export.conversion import converted
from mien.export.variants import integer, narrow
from mien.faces import Faces
from mien.models import tta
from mien.models.costs import cost

if TYPE_CHECKING:
    import keras

# Number of faces used to calibrate the range of activations.
CALIBRATION = 512


@dataclass(frozen=True)
class Calibrated:
    """The champion's predictions for the validation images.

    Attributes:
        combination: how its members are combined, see `mien.ensembling.combination`.
        expected: its calibrated probabilities, float64, shape (N, C).
        honest: the same, calibrated out of fold, for the calibration scores of the card.
    """

    combination: Mapping[str, Any]
    expected: np.ndarray
    honest: np.ndarray


@dataclass(frozen=True)
class Exported:
    """The champion's files.

    Attributes:
        card: for card.json.
        files: `model` gives the same output as Keras, `model_int8_weights` and `model_int8` are
            smaller; only those that passed the checks.
        measured: for metrics/export.json.
    """

    card: dict[str, Any]
    files: dict[str, bytes]
    measured: dict[str, Any]


def calibrate(
    nets: "Mapping[str, keras.Model]",
    ensemble: Mapping[str, Any] | None,
    cross_fitted: np.ndarray,
    validation: Faces,
    seed: int,
) -> Calibrated:
    """Return the champion's calibrated predictions for the validation images.

    Args:
        nets: the champion's members, by name.
        ensemble: its combination, if the champion is the ensemble; for a single network a
            temperature is fitted.
        cross_fitted: the ensemble's cross-fitted probabilities.
        validation: the validation split.
        seed: seed of the folds.
    """
    images, labels = np.asarray(validation.images), validation.labels
    parts = {name: tta.predict(net, images, "none", name) for name, net in nets.items()}
    if ensemble is not None:
        return Calibrated(ensemble, combination.combine(ensemble, parts), cross_fitted)
    folds = combination.assign_folds(labels, validation.index["group"].to_numpy(), seed)
    alone = combination.fit("mean", parts, labels, folds)
    honest = combination.cross_fit("mean", parts, labels, folds)
    return Calibrated(alone, combination.combine(alone, parts), honest)


def export(
    nets: "Mapping[str, keras.Model]",
    records: Mapping[str, Mapping[str, Any]],
    calibrated: Calibrated,
    validation: Faces,
    test: Mapping[str, Any],
    seed: int,
) -> Exported:
    """Return the champion's card and files; no files if ONNX cannot represent it.

    Args:
        nets: the champion's members, by name.
        records: content of each member's record.json.
        calibrated: see `calibrate`.
        validation: the validation split.
        test: the champion's scores on test.
        seed: seed of the bootstrap.
    """
    score = metrics.score_faces(validation, calibrated.honest, seed)
    costs = {name: cost(net) for name, net in nets.items()}
    about = card(records, costs, calibrated.combination, validation=score, test=test)
    try:
        graph = combined(
            calibrated.combination, {name: converted(net) for name, net in nets.items()}
        )
        files, measured = versions(graph, about, validation, calibrated.expected)
    except ExportError as error:
        # Not a reason to stop an experiment with a network that ONNX cannot represent.
        return Exported(about, {}, {"error": str(error)})
    kept = {name: file for name, file in files.items() if measured["versions"][name]["kept"]}
    return Exported(about, kept, measured)


def versions(
    graph: Any, about: Mapping[str, Any], validation: Faces, expected: np.ndarray
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the graph's versions as files, and their differences from the expected output.

    Raises:
        ExportError: the full version's output differs from Keras, or ONNX Runtime rejects it.
    """
    images, labels = np.asarray(validation.images), validation.labels
    told = about["classes"], about["image_size"], about["arch"]
    files = {"model": serialised(graph, *told)}
    # Before the others are made, which needs a graph that ONNX Runtime accepts.
    difference = checked(files["model"], images, expected)
    files["model_int8_weights"] = serialised(narrow(graph), *told)
    files["model_int8"] = serialised(integer(graph, images[:CALIBRATION]), *told)
    found = {name: probabilities(file, images) for name, file in files.items()}
    verdicts = {
        name: {"bytes": len(file), **verdict(labels, found["model"], found[name])}
        for name, file in files.items()
    }
    return files, {"difference": round(difference, 6), "versions": verdicts}
