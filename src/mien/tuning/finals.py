"""The end of a study: its best trial at full length against the start at full length."""

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from mien import metrics
from mien.errors import TrainingError
from mien.training import Trained
from mien.tuning.bench import Bench
from mien.tuning.report import best
from mien.tuning.space import Recipe, Space

# What a final's scores are told by.
TOLD = [
    f"{name}{end}" for name in ("accuracy", "macro_f1", "roc_auc") for end in ("", "_low", "_high")
]


@dataclass(frozen=True)
class Final:
    """A recipe trained at full length.

    Attributes:
        name: `start` or `best`.
        recipe: what it was trained by.
        trained: the model and its history.
        probabilities: on validation, float32, shape (N, C).
        score: what `mien.metrics.score` says of them.
    """

    name: str
    recipe: Recipe
    trained: Trained
    probabilities: np.ndarray
    score: Mapping[str, Any]


def finalists(study: optuna.Study, space: Space) -> dict[str, Recipe]:
    """Return the recipes of the start and of the best trial, if any was complete."""
    leader = best(study)
    if leader is None:
        return {"start": space.recipe}
    return {"start": space.recipe, "best": space.made(space.values(leader.params))}


def finals(bench: Bench, recipes: Mapping[str, Recipe], folder: Path) -> dict[str, Final]:
    """Return each recipe, trained on all images; one that loses its loss is left out.

    Args:
        bench: what it trains with.
        recipes: by name, see `Final`; of equal ones only the first is trained.
        folder: for the checkpoints.

    Raises:
        TrainingError: none of them could be trained.
    """
    done: dict[str, Final] = {}
    failed = None
    for name, recipe in recipes.items():
        twin = next((final for final in done.values() if final.recipe == recipe), None)
        try:
            done[name] = twin or _final(bench, name, recipe, folder)
        except TrainingError as error:
            print(f"{name} at full length: {error}", file=sys.stderr)
            failed = error
    if failed is not None and not done:
        raise failed
    return done


def _final(bench: Bench, name: str, recipe: Recipe, folder: Path) -> Final:
    # Not by name: with more trials another one may be the best.
    checkpoints = folder / hashlib.sha256(repr(recipe).encode()).hexdigest()
    trained = bench.train(recipe, bench.training, checkpoints, name)
    faces = bench.validation
    probabilities = trained.model.predict(faces.images, batch_size=256, verbose=0)
    score = metrics.score(faces.labels, probabilities, faces.classes, bench.seed)
    return Final(name, recipe, trained, probabilities, score)


def chosen(done: Mapping[str, Final], metric: str) -> Final:
    """Return the better one by `metric` on validation; of equal ones the start."""
    sign = 1 if metric == "log_loss" else -1
    return min(done.values(), key=lambda final: (sign * final.score[metric], final.name != "start"))


def compared(done: Mapping[str, Final], bench: Bench) -> dict[str, Any]:
    """Return the scores of both on validation and their difference, ready for JSON.

    `start` and `best`: `accuracy`, `macro_f1` and `roc_auc`, each with `_low` and `_high`; None
    if it could not be trained. `difference`, where two were: `mien.metrics.paired` of best minus
    start.
    """
    told: dict[str, Any] = {
        name: {key: done[name].score[key] for key in TOLD} if name in done else None
        for name in ("start", "best")
    }
    if len(done) == 2 and done["best"] is not done["start"]:
        pair = done["best"].probabilities, done["start"].probabilities
        told["difference"] = metrics.paired(bench.validation.labels, *pair, bench.seed)
    return told
