"""The champion: the best model on validation within the cost limit; comparisons with it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mien import metrics
from mien.errors import ParamError
from mien.faces import Faces

SUMMARY = ("accuracy", "macro_f1", "roc_auc", "ece")


def affordable(multiply_adds: Mapping[str, int], limit: float | None) -> list[str]:
    """Return the models that may be champion, in their order.

    Args:
        multiply_adds: multiply-adds of each model for one face, by name.
        limit: `evaluate.multiply_adds`, millions; None: no limit.

    Raises:
        ParamError: all models exceed the limit.
    """
    most = limit or np.inf
    allowed = [name for name, count in multiply_adds.items() if count <= most * 10**6]
    if not allowed:
        least = min(multiply_adds, key=lambda name: multiply_adds[name])
        raise ParamError(
            f"evaluate.multiply_adds: no model takes at most {most:g} million; {least} takes "
            f"{multiply_adds[least] / 10**6:.1f} million; raise it, or leave it empty"
        )
    return allowed


def best(allowed: list[str], validation: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the name of the model with the highest macro-F1 on validation.

    Among equals the first, so that the ensemble, which is last, must be better than its members.
    """
    return max(allowed, key=lambda name: validation[name]["macro_f1"])


def compared(
    champion: str, probabilities: Mapping[str, np.ndarray], test: Faces, seed: int
) -> dict[str, Any]:
    """Return the difference of each other model from the champion, see `metrics.paired`."""
    return {
        name: metrics.paired(test.labels, predicted, probabilities[champion], seed)
        for name, predicted in probabilities.items()
        if name != champion
    }


def summary(
    champion: str,
    scores: Mapping[str, Mapping[str, Any]],
    validation: Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, Any]]:
    """Return the scores of the champion and of `train` that `dvc metrics show` displays."""
    few: dict[str, dict[str, Any]] = {
        role: {key: scores[name][key] for key in SUMMARY}
        | {"validation_macro_f1": validation[name]["macro_f1"]}
        for role, name in (("champion", champion), ("train", "train"))
    }
    few["champion"]["model"] = champion
    few["train"]["arch"] = scores["train"]["arch"]
    return few
