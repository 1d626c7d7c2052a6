"""The end of a study: its best trial and the start, both trained in full and compared."""

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
from mien.models import tta
from mien.training.fitting import Trained
from mien.tuning.space import Settings, Space
from mien.tuning.trainer import Trainer
from mien.tuning.trial_table import best

# Scores in the comparison.
SCORES = [
    f"{name}{end}" for name in ("accuracy", "macro_f1", "roc_auc") for end in ("", "_low", "_high")
]


@dataclass(frozen=True)
class Refit:
    """Settings and the model trained with them in full.

    Attributes:
        name: `start` or `best`.
        settings: the settings.
        trained: the model and its history.
        probabilities: on validation, float32, shape (N, C).
        score: their `mien.metrics.score`.
    """

    name: str
    settings: Settings
    trained: Trained
    probabilities: np.ndarray
    score: Mapping[str, Any]


def candidates(study: optuna.Study, space: Space) -> dict[str, Settings]:
    """Return the settings of the start and, if any trial was complete, of the best one."""
    leader = best(study)
    if leader is None:
        return {"start": space.settings}
    return {"start": space.settings, "best": space.made(space.values(leader.params))}


def refit(
    trainer: Trainer, settings_by_name: Mapping[str, Settings], folder: Path
) -> dict[str, Refit]:
    """Train each of the settings on all images; if the loss becomes NaN, they are left out.

    Args:
        trainer: the trainer.
        settings_by_name: `start` and `best`, see `Refit`; if they are equal, only one is trained.
        folder: folder for the checkpoints.

    Raises:
        TrainingError: none of them could be trained.
    """
    done: dict[str, Refit] = {}
    failed = None
    for name, settings in settings_by_name.items():
        twin = next((each for each in done.values() if each.settings == settings), None)
        try:
            done[name] = twin or _refit(trainer, name, settings, folder)
        except TrainingError as error:
            print(f"{name} in full: {error}", file=sys.stderr)
            failed = error
    if failed is not None and not done:
        raise failed
    return done


def _refit(trainer: Trainer, name: str, settings: Settings, folder: Path) -> Refit:
    # Not by name: after more trials another one may be the best.
    checkpoints = folder / hashlib.sha256(repr(settings).encode()).hexdigest()
    trained = trainer.train(settings, trainer.training, checkpoints, name)
    faces = trainer.validation
    probabilities = tta.predict(trained.model, faces.images, "none", "validation")
    score = metrics.score(faces.labels, probabilities, faces.classes, trainer.seed)
    return Refit(name, settings, trained, probabilities, score)


def better(done: Mapping[str, Refit], metric: str) -> Refit:
    """Return the better one by `metric` on validation; if they are equal, the start."""
    sign = 1 if metric == "log_loss" else -1
    return min(done.values(), key=lambda each: (sign * each.score[metric], each.name != "start"))


def comparison(done: Mapping[str, Refit], trainer: Trainer) -> dict[str, Any]:
    """Return the scores of both on validation and their difference, ready for JSON.

    `start` and `best`: `accuracy`, `macro_f1` and `roc_auc`, each with `_low` and `_high`; None
    if it could not be trained. `difference`, if both were trained: `mien.metrics.paired` of best
    minus start.
    """
    found: dict[str, Any] = {
        name: {key: done[name].score[key] for key in SCORES} if name in done else None
        for name in ("start", "best")
    }
    if len(done) == 2 and done["best"] is not done["start"]:
        pair = done["best"].probabilities, done["start"].probabilities
        found["difference"] = metrics.paired(trainer.validation.labels, *pair, trainer.seed)
    return found
