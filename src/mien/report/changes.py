"""Differences between two states: scores with their significance, params, other numbers."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien import metrics
from mien.report.states import State

PREDICTIONS, TEST = "data/predictions", "data/faces/test"
# The scores people decide by; for all but the last, higher is better.
SHOWN = {
    ("validation", "macro_f1"): "macro-F1, validation",
    ("test", "macro_f1"): "macro-F1, test",
    ("test", "accuracy"): "accuracy, test",
    ("test", "roc_auc"): "ROC-AUC, test",
    ("test", "ece"): "ECE, test (lower is better)",
}
# A figure and the two ends of its interval, as `metrics.score` names them.
ENDS = ("", "_low", "_high")
# Files whose scores are compared, and the keys that `metrics.score` writes into others.
COVERED = ("metrics/evaluate.json", "metrics/summary.json", "metrics/ensemble.json")
SCORES = {
    "accuracy", "average_precision", "brier", "classes", "confusion", "ece", "log_loss", "macro_f1",
    "macro_precision", "macro_recall", "n", "per_class", "roc_auc", "unseen",
}  # fmt: skip


@dataclass(frozen=True)
class Score:
    """One score of one model on both sides, with intervals if there are any."""

    model: str
    name: str
    # Each with the keys of ENDS, None where there is no such number.
    before: Mapping[str, float | None]
    after: Mapping[str, float | None]
    # The 95 % interval of the difference, and whether both were measured on the same images.
    interval: tuple[float, float] | None
    paired: bool

    @property
    def difference(self) -> float | None:
        """After minus before."""
        before, after = self.before[""], self.after[""]
        return None if before is None or after is None else after - before

    @property
    def significant(self) -> bool:
        """Whether the interval of the difference excludes zero."""
        return self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)


@dataclass(frozen=True)
class Value:
    """A param or a number on both sides, as text; None if a side does not have it."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Changes:
    """All differences between two states."""

    before: State
    after: State
    scores: list[Score]
    unchanged: list[str]
    params: list[Value]
    numbers: list[Value]
    stale: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def models(self) -> list[str]:
        """The models whose scores differ."""
        return list(dict.fromkeys(score.model for score in self.scores))


def compare(before: State, after: State, stale: Mapping[str, list[str]] | None = None) -> Changes:
    """Return the differences from `before` to `after`.

    A difference on test is paired, by a bootstrap over the same images, if DVC's cache has the
    predictions of both sides and the test split is the same. Otherwise its interval is that of two
    independent scores, which is too wide for two models on the same images.

    Args:
        before: the earlier state.
        after: the later state.
        stale: the stages that must run again in `after`, and why; see `staleness.stale`.
    """
    names = [*after.models, *(name for name in before.models if name not in after.models)]
    scores, unchanged = [], []
    for name in names:
        rows = list(_scores(name, before, after))
        if all(row.before == row.after for row in rows):
            unchanged.append(name)
        else:
            scores += rows
    return Changes(
        before=before,
        after=after,
        scores=scores,
        unchanged=unchanged,
        params=_values(before.yaml("params.yaml"), after.yaml("params.yaml")),
        numbers=_values(_numbers(before), _numbers(after)),
        stale=stale or {},
    )


def fallen(changes: Changes) -> float | None:
    """Return the drop of the champion's macro-F1 on validation, negative if it rose.

    None if a side has no champion.
    """
    before, after = (
        state.models[state.champion]["validation"].get("macro_f1") if state.champion else None
        for state in (changes.before, changes.after)
    )
    return None if before is None or after is None else before - after


def _scores(name: str, before: State, after: State) -> Iterator[Score]:
    sides = [state.models.get(name, {}) for state in (before, after)]
    pair: dict[str, tuple[float, float]] = {}
    if all(sides) and sides[0] != sides[1]:
        pair = _paired(name, before, after)
    for (split, key), label in SHOWN.items():
        old, new = (
            {end: side.get(split, side).get(f"{key}{end}") for end in ENDS} for side in sides
        )
        paired = split == "test" and key in pair
        interval = pair[key] if paired else _independent(old, new)
        yield Score(name, label, old, new, interval, paired)


def _independent(
    before: Mapping[str, float | None], after: Mapping[str, float | None]
) -> tuple[float, float] | None:
    """Return the interval of the difference of two independent scores, if each has its own."""
    one, other = ([side[end] for end in ENDS] for side in (before, after))
    if None in one or None in other:
        return None
    return metrics.independent_difference(tuple(one), tuple(other))  # type: ignore[arg-type]


def _paired(name: str, before: State, after: State) -> dict[str, tuple[float, float]]:
    """Return the intervals of `metrics.paired` by score; empty if DVC's cache lacks a file."""
    old, new = (_hashes(state) for state in (before, after))
    if old.get(TEST) != new.get(TEST):
        return {}
    index = _cached(new.get(TEST), "index.parquet")
    sides = [_cached(side.get(PREDICTIONS), f"{name}.npy") for side in (new, old)]
    if index is None or None in sides:
        return {}
    labels = pd.read_parquet(index)["label"].cat.codes.to_numpy()
    a, b = (np.load(side) for side in sides if side)
    pair = metrics.paired(labels, a, b, after.yaml("params.yaml")["seed"])
    return {
        key: (pair[f"{key}_difference_low"], pair[f"{key}_difference_high"])
        for key in ("accuracy", "macro_f1")
    }


def _hashes(state: State) -> dict[str, str]:
    """Return the hash of every out in the state's dvc.lock."""
    stages = state.yaml("dvc.lock").get("stages", {}).values()
    return {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", [])}


def _cached(folder: str | None, name: str) -> Path | None:
    """Return the path in DVC's cache of a file in the folder with this hash, if it is there."""
    from dvc.repo import Repo

    if folder is None:
        return None
    with Repo(".") as repo:
        cache = Path(repo.cache.local.path)
    listing = cache / folder[:2] / folder[2:]
    if not listing.is_file():
        return None
    found = {entry["relpath"]: entry["md5"] for entry in json.loads(listing.read_bytes())}
    path = cache / found[name][:2] / found[name][2:] if name in found else None
    return path if path and path.is_file() else None


def _numbers(state: State) -> dict[str, Any]:
    """Return the metrics other than scores: the audit, costs, the export, the studies."""
    return {
        path.removeprefix("metrics/").removesuffix(".json"): {
            key: value
            for key, value in state.json(path).items()
            if key.removesuffix("_low").removesuffix("_high") not in SCORES
        }
        for path in state.files
        if path.startswith("metrics/") and path.endswith(".json") and path not in COVERED
    }


def _values(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Value]:
    """Return the leaves that differ, in the order of `after`, then of `before`."""
    old, new = (dict(_leaves(side)) for side in (before, after))
    names = [*new, *(name for name in old if name not in new)]
    return [
        Value(name, old.get(name), new.get(name))
        for name in names
        if old.get(name) != new.get(name)
    ]


def _leaves(values: Mapping[str, Any], section: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{section}{key}.")
        # A table is not a number.
        elif not (isinstance(value, list) and any(isinstance(row, Mapping) for row in value)):
            yield f"{section}{key}", json.dumps(value, ensure_ascii=False)
