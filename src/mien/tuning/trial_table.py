"""The results of a study: its table, its best trial, and the importance of params."""

import math
import warnings
from typing import Any

import optuna
import pandas as pd
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from mien.tuning.space import Space

STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
# Minimum number of complete trials for meaningful importances.
ENOUGH = 10


def table(study: optuna.Study, space: Space) -> pd.DataFrame:
    """Return a row for each finished trial, in the order they started; the first is the start.

    Columns: `trial` (from 1), `state` (complete, pruned or failed), `value` of the metric on
    validation (for a pruned trial the last one, for a failed trial none), `epochs` that ran,
    `reason` of a failure, and each searched param by its name. Values have 6 digits.
    """
    rows = []
    for trial in _finished(study):
        row = {
            "trial": trial.number + 1,
            "state": STATES[trial.state],
            "value": round(judged(trial), 6),
            "epochs": len(trial.intermediate_values),
            "reason": trial.user_attrs.get("reason"),
        }
        rows.append(row | space.values(trial.params))
    columns = ["trial", "state", "value", "epochs", "reason", *space.distributions]
    return pd.DataFrame(rows, columns=columns)


def best(study: optuna.Study) -> FrozenTrial | None:
    """Return the best complete trial, the first of equal ones; None if there is none."""
    sign = 1 if study.direction == StudyDirection.MINIMIZE else -1
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return min(complete, key=lambda trial: (sign * judged(trial), trial.number), default=None)


def judged(trial: FrozenTrial) -> float:
    """Return the metric of a trial, or NaN if it failed."""
    return math.nan if trial.value is None else trial.value


def summary(study: optuna.Study) -> dict[str, Any]:
    """Return counts of the trials and the best one, ready for JSON.

    `trials`, `complete`, `pruned`, `failed`, and the best trial's number `best_trial` (from 1) and
    `best_value`, both None if no trial was complete.
    """
    trials, leader = _finished(study), best(study)
    counts = {name: sum(each.state == state for each in trials) for state, name in STATES.items()}
    return counts | {
        "trials": len(trials),
        "best_trial": leader and leader.number + 1,
        "best_value": leader and round(judged(leader), 6),
    }


def importances(study: optuna.Study, space: Space, seed: int) -> pd.DataFrame:
    """Return `param` and `importance` by functional ANOVA (Hutter et al. 2014), largest first.

    Importances are shares of the variance between complete trials and sum to one; 6 digits. No
    rows if fewer than ENOUGH trials are complete.

    Args:
        study: the study.
        space: its search space.
        seed: seed of the random forest.
    """
    shares: dict[str, float] = {}
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) >= ENOUGH and space.distributions:
        with warnings.catch_warnings(action="ignore"):
            shares = get_param_importances(
                study,
                evaluator=FanovaImportanceEvaluator(seed=seed),
                # Explicit, because otherwise a set of strings would order the forest's columns.
                params=list(space.distributions),
            )
    rows = sorted(
        ((name, round(share, 6)) for name, share in shares.items()),
        key=lambda row: (-row[1], row[0]),
    )
    return pd.DataFrame(rows, columns=["param", "importance"])


def _finished(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=tuple(STATES))
