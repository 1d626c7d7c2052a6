"""A study of a cheap function, for processes that are killed while they work on it."""

import math
import os
import signal
from pathlib import Path

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from mien import params
from mien.params import Tune
from mien.tuning import search, trial_table
from mien.tuning.space import Settings, Space
from mien.tuning.study import opened

PARAMS = params.load(Path(__file__).parents[2] / "params.yaml")
TRAIN = PARAMS.train.model_copy(update={"learning_rate": 0.002})
SPACE = Space(
    Settings(PARAMS.model, TRAIN, PARAMS.augment),
    {"train.learning_rate": 0.002, "model.depth": 2, "train.optimizer": "adamw"},
    {
        "train.learning_rate": FloatDistribution(0.0002, 0.01, log=True),
        "model.depth": IntDistribution(1, 6),
        "train.optimizer": CategoricalDistribution(("adam", "adamw", "sgd")),
    },
)
SEED = 5


def settings(**changes) -> Tune:
    cheap = {"trials": 14, "epochs": 9, "metric": "macro_f1"}
    return Tune.model_validate(PARAMS.tune.model_dump() | cheap | changes)


def figure(values, epoch: int) -> float:
    """Return a figure that rises with the epochs and has its best near the start's depth."""
    rate = math.log10(values["train.learning_rate"]) + 2.5
    far = rate**2 + (values["model.depth"] - 3) ** 2 / 9 + (values["train.optimizer"] == "sgd") / 5
    return 1 / (1 + far) * (1 - 0.7**epoch)


def history(values, epoch: int) -> list[dict[str, float]]:
    return [{"epoch": each, "val_macro_f1": figure(values, each)} for each in range(1, epoch + 1)]


def evaluate(number, values, checkpoints, watch) -> None:
    """Show a rising figure, epoch by epoch."""
    for epoch in range(1, 10):
        watch(history(values, epoch))


def run(folder: Path, tune: Tune, evaluate=evaluate, key: str = "0") -> str:
    """Return the finished study's table as CSV."""
    with opened("cheap", key, folder, tune) as study:
        search.run(study, SPACE, tune, SEED, evaluate, folder)
        return trial_table.table(study.study, SPACE).to_csv(index=False)


def complete_study(count: int) -> optuna.Study:
    """Return a study in memory of trials that are complete, their params drawn at random."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1), direction="maximize")
    for _ in range(count):
        trial = study.ask(dict(SPACE.distributions))
        study.tell(trial, figure(trial.params, 9))
    return study


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying(after: int, epoch: int):
    """Return an `evaluate` that is killed in an epoch of the first trial that gets there."""

    def evaluated(number, values, checkpoints, watch) -> None:
        for each in range(1, 10):
            if number >= after and each == epoch:
                die()
            watch(history(values, each))

    return evaluated


def dying_when_pruned(after: int):
    """Return an `evaluate` that is killed when a trial is to be pruned, before it is."""

    def evaluated(number, values, checkpoints, watch) -> None:
        try:
            evaluate(number, values, checkpoints, watch)
        except optuna.TrialPruned:
            if number >= after:
                die()
            raise

    return evaluated


def in_child(work) -> bool:
    """Do the work in a forked process; return whether it was killed."""
    child = os.fork()
    if not child:
        try:
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])
