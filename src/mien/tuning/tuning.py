"""Tune one architecture: the study, then its best trial and the start, trained in full."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mien.params import Params
from mien.tuning import refit, search, study, trial_table
from mien.tuning.space import Space
from mien.tuning.trainer import Trainer, evaluator


@dataclass(frozen=True)
class Tuned:
    """The result of tuning.

    Attributes:
        best: the better of start and best trial.
        summary: for the model's metrics: counts of the trials, the comparison, the choice.
        trials: a row for each trial, see `trial_table.table`.
        importances: importance of each param, see `trial_table.importances`.
    """

    best: refit.Refit
    summary: dict[str, Any]
    trials: pd.DataFrame
    importances: pd.DataFrame


def run_trials(
    opened: study.Opened, space: Space, trainer: Trainer, params: Params, folder: Path
) -> None:
    """Run trials of the study until it has all of them; checkpoints go into `folder`."""
    evaluate = evaluator(trainer, space, params.tune)
    search.run(opened, space, params.tune, params.seed, evaluate, folder)


def conclude(
    opened: study.Opened, space: Space, trainer: Trainer, params: Params, folder: Path
) -> Tuned:
    """Train the best trial and the start in full; return the better one and the study's tables.

    Args:
        opened: the study, with all its trials.
        space: its search space.
        trainer: the trainer.
        params: the metric that decides, and the seed of the importances.
        folder: folder for checkpoints.
    """
    metric = params.tune.metric
    done = refit.refit(trainer, refit.candidates(opened.study, space), folder)
    best = refit.better(done, metric)
    scores = "; ".join(f"{name} {each.score[metric]:.4f}" for name, each in done.items())
    print(f"trained in full, {metric}: {scores}; chosen: the {best.name}", file=sys.stderr)
    summary = trial_table.summary(opened.study) | refit.comparison(done, trainer)
    return Tuned(
        best,
        summary | {"chosen": best.name, "metric": metric},
        trial_table.table(opened.study, space),
        trial_table.importances(opened.study, space, params.seed),
    )
