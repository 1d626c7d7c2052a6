"""The content of a trained model's metrics file: its costs and its scores on validation."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mien.faces import Faces
from mien.metrics import score_faces
from mien.models import tta
from mien.models.costs import cost
from mien.training.fitting import Trained


def measures(
    trained: Trained, validation: Faces, record: Mapping[str, Any]
) -> tuple[dict[str, Any], np.ndarray]:
    """Return the model's metrics, ready for JSON, and its probabilities on validation.

    Args:
        trained: the result of `fitting.fit`.
        validation: N images that were not used for training.
        record: the model's record, see `recipe.Recipe.record`.

    Returns:
        `arch`, `pretrained`, `parameters`, `multiply_adds` (for one image), `epochs`, and the
        result of `metrics.score_faces`; float32 probabilities, shape (N, C).
    """
    probabilities = tta.predict(trained.model, validation.images, "none", "validation")
    parameters, multiply_adds = cost(trained.model)
    return {
        "arch": record["spec"]["arch"],
        "pretrained": record["pretrained"],
        "parameters": parameters,
        "multiply_adds": multiply_adds,
        "epochs": len(trained.history),
        **score_faces(validation, probabilities, record["params"]["seed"]),
    }, probabilities
