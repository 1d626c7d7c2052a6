"""What came of a study: its table, its best trial, and which params mattered."""

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
# Complete trials below which importances would be noise.
ENOUGH = 10


def table(study: optuna.Study, space: Space) -> pd.DataFrame:
    """Return a row for each finished trial, in the order they began; the start's is the first.

    Columns: `trial` (from 1), `state` (complete, pruned or failed), `value` of the metric on
    validation (a pruned trial's last one, a failed trial's none), `epochs` that ran, `reason` of
    a failure, and each searched param by its name. Values have 6 digits.
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
    """Return the best complete trial, of equal ones the first; None without any."""
    sign = 1 if study.direction == StudyDirection.MINIMIZE else -1
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return min(complete, key=lambda trial: (sign * judged(trial), trial.number), default=None)


def judged(trial: FrozenTrial) -> float:
    """Return what a trial is judged by: its metric, or NaN if it failed."""
    return math.nan if trial.value is None else trial.value


def summary(study: optuna.Study) -> dict[str, Any]:
    """Return counts of the trials and the best one, ready for JSON.

    `trials`, `complete`, `pruned`, `failed`, and of the best trial `best_trial` (from 1) and
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
        study: holds the trials.
        space: what was searched.
        seed: of the random forest.
    """
    shares: dict[str, float] = {}
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) >= ENOUGH and space.distributions:
        with warnings.catch_warnings(action="ignore"):
            shares = get_param_importances(
                study,
                evaluator=FanovaImportanceEvaluator(seed=seed),
                # Named, because else a set of text would order the forest's columns.
                params=list(space.distributions),
            )
    rows = sorted(
        ((name, round(share, 6)) for name, share in shares.items()),
        key=lambda row: (-row[1], row[0]),
    )
    return pd.DataFrame(rows, columns=["param", "importance"])


def _finished(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=tuple(STATES))
