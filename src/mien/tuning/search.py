"""The loop of a study: start a trial, judge it after each epoch, until the budget is spent."""

import math
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import Trial, TrialState

from mien.errors import MienError, TuningError
from mien.params import Tune
from mien.tuning import strategies
from mien.tuning.space import Space, Values
from mien.tuning.study import PATIENCE_S, Opened
from mien.tuning.trial_table import STATES, best, judged

History = Sequence[Mapping[str, float]]
Watch = Callable[[History], None]
Evaluate = Callable[[int, Values, Path, Watch], None]

# Seconds between two checks of what other processes do.
PAUSE_S = 2.0


def run(
    opened: Opened, space: Space, tune: Tune, seed: int, evaluate: Evaluate, folder: Path
) -> None:
    """Run trials until the study has all of them, including those of other processes.

    Args:
        opened: the study.
        space: the search space; trial 0 is its start.
        tune: budget, sampler, pruner and metric.
        seed: seed of the proposals, which derive from (seed, number of the trial).
        evaluate: trains a trial, given its number, its values, a folder for its checkpoints and
            a function to call with the history after each epoch and at the end; its rows have
            `epoch` and the `val_` metrics. A MienError fails the trial, not the study.
        folder: folder for the trials' checkpoints, which are removed at the end of a trial.

    Raises:
        TuningError: the sampler cannot be used.
    """
    began = time.monotonic()
    lost = None
    while True:
        spent = tune.minutes is not None and time.monotonic() - began >= 60 * tune.minutes
        try:
            trial = _begin(opened, space, tune, seed, spent)
            lost = None
            if trial is not None:
                checkpoints = folder / f"trial-{trial.number + 1}"
                if _work(opened, trial, space, tune, evaluate, checkpoints):
                    opened.finished()
                    _say(opened.study, trial.number, space, tune)
                shutil.rmtree(checkpoints, ignore_errors=True)
            elif opened.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                time.sleep(PAUSE_S)
            else:
                return
        except opened.lost:
            # The interrupted trial is repeated, as after a kill.
            lost = lost or time.monotonic()
            if time.monotonic() - lost > PATIENCE_S:
                raise


def _begin(opened: Opened, space: Space, tune: Tune, seed: int, spent: bool) -> Trial | None:
    """Return the next trial, now running; None if the budget is spent or all have started."""
    study = opened.study
    with opened.turn():
        if spent:
            return None
        trials = study.get_trials(deepcopy=False)
        waiting = [trial.number for trial in trials if trial.state == TrialState.WAITING]
        number = waiting[0] if waiting else len(trials)
        if number == len(trials):
            if number >= _planned(space, tune):
                return None
            study.enqueue_trial(_fixed(space, tune, seed, number))
        study.sampler = strategies.sampler(tune.sampler, seed, number)
        # With Hyperband set, the sampler would use the trials of one bracket only: too few in a
        # short study.
        study.pruner = optuna.pruners.NopPruner()
        trial = opened.ask(space)
        study.pruner = strategies.pruner(tune.pruner, tune.epochs)
        return trial


def _planned(space: Space, tune: Tune) -> int:
    """Return the number of trials of the study: at most the start and all points of a grid."""
    if tune.sampler == "grid":
        return min(tune.trials, 1 + strategies.grid_size(space))
    return tune.trials


def _fixed(space: Space, tune: Tune, seed: int, number: int) -> Values:
    """Return the values of trial `number` that are not drawn by the sampler."""
    if number == 0:
        return space.start
    return strategies.grid_point(space, seed, number) if tune.sampler == "grid" else {}


def _work(
    opened: Opened, trial: Trial, space: Space, tune: Tune, evaluate: Evaluate, checkpoints: Path
) -> bool:
    """Train and judge one trial; return whether its result was accepted by the study."""
    judge = _Judge(trial, tune)
    value = None
    try:
        with opened.working(trial):
            try:
                values = space.values(trial.params)
                evaluate(trial.number, values, checkpoints, judge)
                value, state = judge.value, TrialState.COMPLETE
            except optuna.TrialPruned:
                state = TrialState.PRUNED
            except MienError as error:
                state = TrialState.FAIL
                trial.set_user_attr("reason", str(error))
        opened.study.tell(trial, value, state)
    except (UpdateFinishedTrialError, ValueError):
        # A result is only rejected if the trial is no longer running.
        if opened.study.trials[trial.number].state == TrialState.RUNNING:
            raise
        print(f"trial {trial.number + 1}: another process took it over", file=sys.stderr)
        return False
    except BaseException:
        with suppress(Exception):
            opened.left(trial)
        raise
    return True


class _Judge:
    """Reports a trial's epochs to the study, and ends the trial when the pruner says so."""

    def __init__(self, trial: Trial, tune: Tune) -> None:
        self._trial, self._metric, self._epochs = trial, f"val_{tune.metric}", tune.epochs
        self._told = 0
        self.value = math.nan

    def __call__(self, history: History) -> None:
        """Report the epochs of `history`, which has all so far, that were not reported yet.

        Raises:
            TrialPruned: the pruner ends the trial; after the last epoch it is not asked.
            TuningError: the metric is not a finite number.
        """
        for row in history[self._told :]:
            epoch, self.value = int(row["epoch"]), row[self._metric]
            if not math.isfinite(self.value):
                raise TuningError(f"epoch {epoch}: {self._metric} is {self.value}")
            self._trial.report(self.value, epoch)
            self._told += 1
            if epoch < self._epochs and self._trial.should_prune():
                raise optuna.TrialPruned


def _say(study: optuna.Study, number: int, space: Space, tune: Tune) -> None:
    """Print a line about a trial that has ended."""
    trials = study.get_trials(deepcopy=False)
    trial, leader = trials[number], best(study)
    parts = [f"trial {number + 1}/{_planned(space, tune)}: {STATES[trial.state]}"]
    if trial.state == TrialState.FAIL:
        parts.append(trial.user_attrs["reason"])
    else:
        parts.append(f"{tune.metric} {judged(trial):.4f} after epoch {trial.last_step}")
    if leader is not None:
        parts.append(f"best {judged(leader):.4f} of trial {leader.number + 1}")
    values = space.values(trial.params)
    changes = [f"{name} {values[name]}" for name in values if values[name] != space.start[name]]
    parts.append(", ".join(changes) or "the start")
    print("; ".join(parts), file=sys.stderr, flush=True)
