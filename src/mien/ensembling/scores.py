"""Scores of an ensemble: each method, each member's contribution, disagreement of members."""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from mien import metrics
from mien.ensembling import combination
from mien.faces import Faces

SCORES = ("accuracy", "macro_f1", "roc_auc")
COMPARED = ["macro_f1", "accuracy", "log_loss", "ece"]


def judge(
    used: Mapping[str, np.ndarray], validation: Faces, folds: np.ndarray
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Return each method's cross-fitted probabilities, and a row of scores for each method."""
    crossed, rows = {}, {}
    for method in combination.METHODS:
        part = combination.cross_fit(method, used, validation.labels, folds)
        # Scored in single precision, as it is written.
        crossed[method] = part.astype(np.float32)
        score = metrics.measure(validation.labels, crossed[method], validation.classes)
        rows[method] = [round(float(score[name]), 6) for name in COMPARED]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=COMPARED)
    return crossed, table.rename_axis("method")


def leave_one_out(
    method: str,
    used: Mapping[str, np.ndarray],
    validation: Faces,
    folds: np.ndarray,
    macro_f1: float,
) -> dict[str, float]:
    """Return the cross-fitted macro-F1 without each member minus `macro_f1`, that of all."""
    changes = {}
    names = list(used) if len(used) > 1 else []
    for name in tqdm(names, "leave one out", delay=2, disable=None, file=sys.stderr):
        others = {other: part for other, part in used.items() if other != name}
        crossed = combination.cross_fit(method, others, validation.labels, folds)
        score = metrics.measure(validation.labels, crossed, validation.classes)
        # Adding 0 turns -0.0 into 0.
        changes[name] = round(float(score["macro_f1"]) - macro_f1, 6) + 0.0
    return changes


def disagreement(used: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Return for each pair of members the fraction of images on which they disagree."""
    predicted = {name: part.argmax(axis=1) for name, part in used.items()}
    return {
        name: {
            other: round(float((own != theirs).mean()), 6)
            for other, theirs in predicted.items()
            if other != name
        }
        for name, own in predicted.items()
    }


def against_models(
    crossed: np.ndarray,
    models: Mapping[str, np.ndarray],
    records: Mapping[str, Mapping[str, Any]],
    validation: Faces,
    seed: int,
) -> dict[str, Any]:
    """Return the scores of all models, the best one, and the ensemble's difference from it."""
    scores = {}
    for name, part in models.items():
        score = metrics.score(validation.labels, part, validation.classes, seed)
        scores[name] = {"arch": records[name]["spec"]["arch"]} | {
            f"{key}{end}": score[f"{key}{end}"] for key in SCORES for end in ("", "_low", "_high")
        }
    best = max(scores, key=lambda name: scores[name]["macro_f1"])
    return {
        "member_scores": scores,
        "best_member": best,
        "difference": metrics.paired(validation.labels, crossed, models[best], seed),
    }
