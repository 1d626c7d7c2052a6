"""The JSON card of a model: what it is, its scores, its inputs."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

MEASURES = ("accuracy", "macro_f1", "roc_auc")
CALIBRATION = ("log_loss", "brier", "ece")


def card(
    records: Mapping[str, Mapping[str, Any]],
    costs: Mapping[str, tuple[int, int]],
    combination: Mapping[str, Any],
    *,
    validation: Mapping[str, Any],
    test: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the card, ready for JSON.

    Args:
        records: the `record.json` of each member, by name.
        costs: parameters and multiply-adds of each.
        combination: see `mien.ensembling.combination`; it names the members.
        validation: `mien.metrics.score` of calibrated probabilities.
        test: the same for the test split, where the probabilities may not be calibrated: only
            scores that hardly depend on calibration are used. Both include `unseen` scores.

    Returns:
        `arch`, `classes`, `image_size`; `parameters` and `multiply_adds` (for one face), sums
        over the members; `members`: {name: `arch`, `parameters`, `multiply_adds`,
        `weights_sha256` and, if it started from trained weights, `start` with their `source`,
        `sha256` and `licence`}; `method` and `temperature`; `metrics`: {split: `n`, and scores,
        three of them with the `_low` and `_high` end of their 95 % interval}; `data`: {path: md5};
        `params_sha256`: hash of the params with which the members were trained.
    """
    names: Sequence[str] = combination["members"]
    specs = {name: records[name]["spec"] for name in names}
    first = specs[names[0]]
    figures = [f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")]
    params = json.dumps({name: records[name]["params"] for name in names}, sort_keys=True)
    return {
        "arch": first["arch"] if len(names) == 1 else "ensemble",
        "classes": first["classes"],
        "image_size": first["image_size"],
        "parameters": sum(costs[name][0] for name in names),
        "multiply_adds": sum(costs[name][1] for name in names),
        "members": {
            name: {
                "arch": specs[name]["arch"],
                "parameters": costs[name][0],
                "multiply_adds": costs[name][1],
                "weights_sha256": records[name]["weights_sha256"],
                **_start(records[name]),
            }
            for name in names
        },
        "method": combination["method"],
        "temperature": combination["temperature"],
        "metrics": {
            "validation": _chosen(validation, ("n", *figures, *CALIBRATION, "unseen")),
            "test": _chosen(test, ("n", *figures, "unseen")),
        },
        "data": {path: md5 for name in names for path, md5 in records[name]["data"].items()},
        "params_sha256": hashlib.sha256(params.encode()).hexdigest(),
    }


def _start(record: Mapping[str, Any]) -> dict[str, Any]:
    start = record.get("pretrained", {})
    return {"start": _chosen(start, ("source", "sha256", "licence"))} if "source" in start else {}


def _chosen(score: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: score[name] for name in names if name in score}
