"""Predictions of each trained model, and of the champion."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mien.ensembling.combination import combine
from mien.errors import MienError
from mien.faces import Faces
from mien.models import cost, load, tta, use_backend

# Maps grey faces, uint8, shape (N, S, S), and a title for the progress bar to float32
# probabilities, shape (N, C).
Predict = Callable[[np.ndarray, str], np.ndarray]


@dataclass(frozen=True)
class Predictions:
    """Predictions of the trained models for N images.

    Attributes:
        probabilities: probabilities of each model, float32, shape (N, C), by name.
        costs: parameters of each model, and its multiply-adds for one image.
        attention: attention maps of each model for some images, see `models.attention.maps`.
    """

    probabilities: dict[str, np.ndarray]
    costs: dict[str, tuple[int, int]]
    attention: dict[str, dict[str, np.ndarray]]


def check(records: Mapping[str, Mapping[str, Any]], test: Faces) -> None:
    """Check that every model was trained on faces like those of `test`.

    Args:
        records: content of each model's record.json, by name.
        test: the test split.

    Raises:
        MienError: a model has other classes or another image size, or there are no test images.
    """
    size = test.images.shape[1]
    for name, record in records.items():
        spec = record["spec"]
        if spec["classes"] != list(test.classes) or spec["image_size"] != size or not len(test):
            raise MienError(
                f"the test split must hold faces of {', '.join(spec['classes'])} at "
                f"{spec['image_size']} pixels, as the model {name} was trained on, got "
                f"{len(test)} of {', '.join(test.classes)} at {size} pixels; run `dvc repro`"
            )


def predict_all(
    folders: Mapping[str, Path],
    records: Mapping[str, Mapping[str, Any]],
    test: Faces,
    average: str,
    shown: np.ndarray,
) -> Predictions:
    """Return the predictions of each model; one model is in memory at a time.

    Args:
        folders: folder of each model's record and weights, by name.
        records: content of each model's record.json.
        test: the images.
        average: variants to average over, see `models.tta.variants`.
        shown: rows of the images whose attention maps are kept.
    """
    found = Predictions({}, {}, {})
    for name, folder in folders.items():
        use_backend(records[name]["params"]["train"]["backend"])
        # Not above: it imports Keras, whose backend has to be chosen first.
        from mien.models import attention

        model = load(folder)
        found.costs[name] = cost(model)
        found.probabilities[name] = tta.predict(model, test.images, average, name)
        found.attention[name] = attention.maps(model, test.images[shown])
    return found


def predictor(
    champion: str, combination: Mapping[str, Any], folders: Mapping[str, Path], average: str
) -> Predict:
    """Return a function that predicts as the champion does, with its networks loaded once.

    Args:
        champion: name of a trained model, or `ensemble`.
        combination: that of the ensemble, see `mien.ensembling.combination`.
        folders: folder of each model's record and weights, by name.
        average: variants to average over, see `models.tta.variants`.
    """
    members = combination["members"] if champion == "ensemble" else [champion]
    nets = {name: load(folders[name]) for name in members}

    def predict(images: np.ndarray, title: str) -> np.ndarray:
        parts = {
            name: tta.predict(net, images, average, f"{name}, {title}")
            for name, net in nets.items()
        }
        if champion != "ensemble":
            return parts[champion]
        return combine(combination, parts).astype(np.float32)

    return predict
