"""What a trained model's metrics file says: its costs and its scores on validation."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mien.faces import Faces
from mien.metrics import score_faces
from mien.models.costs import cost
from mien.training.fitting import Trained


def measures(
    trained: Trained, validation: Faces, record: Mapping[str, Any]
) -> tuple[dict[str, Any], np.ndarray]:
    """Return the model's metrics, ready for JSON, and its probabilities on validation.

    Args:
        trained: what `fitting.fit` returned.
        validation: N images; training learnt from none of them.
        record: the model's record, see `recipe.Recipe.record`.

    Returns:
        `arch`, `pretrained`, `parameters`, `multiply_adds` (of one image), `epochs`, and what
        `metrics.score_faces` says; float32 probabilities, shape (N, C).
    """
    probabilities = trained.model.predict(validation.images, batch_size=256, verbose=0)
    parameters, multiply_adds = cost(trained.model)
    return {
        "arch": record["spec"]["arch"],
        "pretrained": record["pretrained"],
        "parameters": parameters,
        "multiply_adds": multiply_adds,
        "epochs": len(trained.history),
        **score_faces(validation, probabilities, record["params"]["seed"]),
    }, probabilities
