"""The ensemble: its members, the method that combines them, its record, its scores and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mien import metrics
from mien.ensembling import combination, scores
from mien.errors import MienError, ParamError
from mien.faces import Faces

MEMBER_COLUMNS = [
    "name",
    "arch",
    "macro_f1",
    "macro_f1_low",
    "macro_f1_high",
    "accuracy",
    "weight",
    "leave_one_out",
]


@dataclass(frozen=True)
class Candidate:
    """A model that the ensemble can combine.

    Attributes:
        record: content of its record.json.
        probabilities: on validation, float32, shape (N, C).
    """

    record: Mapping[str, Any]
    probabilities: np.ndarray


@dataclass(frozen=True)
class Ensemble:
    """The ensemble and its measurements.

    Attributes:
        record: for record.json: its combination, and the hashes of its members' weights.
        probabilities: on validation, cross-fitted: float32, shape (N, C).
        metrics: for metrics/ensemble.json.
        tables: `members`, `disagreement` and `methods`, by name.
    """

    record: dict[str, Any]
    probabilities: np.ndarray
    metrics: dict[str, Any]
    tables: dict[str, pd.DataFrame]


def build(
    candidates: Mapping[str, Candidate],
    validation: Faces,
    wanted: Sequence[str],
    method: str,
    seed: int,
) -> Ensemble:
    """Score every method by cross-fitting; return the ensemble by `method`.

    Args:
        candidates: the models, by name.
        validation: the N images on which all were measured.
        wanted: names of the members; empty: all candidates.
        method: one of `combination.METHODS`, or `auto`: the best of them on validation.
        seed: seed of the folds and of the intervals.

    Raises:
        MienError: a candidate was measured on other images, or validation is too small.
        ParamError: a wanted name is not that of a candidate.
    """
    check(candidates, validation)
    names, same_as = choose(wanted, candidates)
    used = {name: candidates[name].probabilities for name in names}
    labels, groups = validation.labels, validation.index["group"].to_numpy()
    folds = combination.assign_folds(labels, groups, seed)
    crossed, methods = scores.judge(used, validation, folds)
    if method == "auto":
        method = methods["macro_f1"].idxmax()
    combined = combination.fit(method, used, labels, folds)
    score = metrics.score_faces(validation, crossed[method], seed)
    left_out = scores.leave_one_out(method, used, validation, folds, score["macro_f1"])
    content = {
        **score,
        "method": combined["method"],
        "members": combined["members"],
        "same_as": same_as,
        "temperature": combined["temperature"],
        "candidates": methods["macro_f1"].to_dict(),
        "leave_one_out": left_out,
        "disagreement": scores.disagreement(used),
        **scores.against_models(
            crossed[method],
            {name: each.probabilities for name, each in candidates.items()},
            {name: each.record for name, each in candidates.items()},
            validation,
            seed,
        ),
    }
    record = {
        "name": "ensemble",
        "spec": {
            "arch": "ensemble",
            "classes": list(validation.classes),
            "image_size": validation.images.shape[1],
        },
        "combination": combined,
        "members": {
            name: candidates[name].record["weights_sha256"] for name in combined["members"]
        },
    }
    return Ensemble(record, crossed[method], content, tables(content, methods, combined))


def check(candidates: Mapping[str, Candidate], validation: Faces) -> None:
    """Check that every candidate was measured on the images and classes of `validation`.

    Raises:
        MienError: one was measured on other images or has other classes.
    """
    expected = list(validation.classes)
    for name, each in candidates.items():
        known, count = each.record["spec"]["classes"], len(each.probabilities)
        if known != expected or count != len(validation):
            raise MienError(
                f"{name} must be measured on the {len(validation)} images of the validation "
                f"split, of {', '.join(expected)}, got {count} images of {', '.join(known)}; "
                "run `dvc repro`"
            )


def choose(
    wanted: Sequence[str], candidates: Mapping[str, Candidate]
) -> tuple[list[str], dict[str, str]]:
    """Return the members, and for each duplicate network the name of the earlier, identical one.

    Raises:
        ParamError: a name is not that of a candidate.
    """
    unknown = [name for name in wanted if name not in candidates]
    if unknown:
        raise ParamError(
            f"ensemble.members: {unknown[0]} is no model, one of {', '.join(candidates)}; "
            "change it, or add its architecture to tune.archs"
        )
    first: dict[str, str] = {}
    same_as = {}
    for name, each in candidates.items():
        if not wanted or name in wanted:
            earlier = first.setdefault(each.record["weights_sha256"], name)
            if earlier != name:
                same_as[name] = earlier
    return list(first.values()), same_as


def tables(
    content: Mapping[str, Any], methods: pd.DataFrame, combined: Mapping[str, Any]
) -> dict[str, pd.DataFrame]:
    """Return a row for each model, the members' disagreement, and a row for each method."""
    names = list(content["disagreement"])
    weights = dict(zip(content["members"], combined.get("weights", ()), strict=False))
    rows = [
        {
            "name": name,
            **score,
            "weight": weights.get(name),
            "leave_one_out": content["leave_one_out"].get(name),
        }
        for name, score in content["member_scores"].items()
    ]
    members = pd.DataFrame(rows, columns=MEMBER_COLUMNS).astype({"leave_one_out": float})
    shares = pd.DataFrame(content["disagreement"], names, names).rename_axis("member")
    return {
        "members": members,
        "disagreement": shares.reset_index(),
        "methods": methods.reset_index(),
    }
