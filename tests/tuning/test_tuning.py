"""A tuning ends with the better of start and best trial, and with all that its study found."""

from dataclasses import replace

import cheap
import pandas as pd
import pytest
from made_nets import TRAINER, settings

from mien import metrics
from mien.params import Params
from mien.tuning import trial_table, tuning
from mien.tuning.space import Space
from mien.tuning.study import opened

TUNE = cheap.settings(trials=12, pruner="none")


def params(metric: str) -> Params:
    return cheap.PARAMS.model_copy(update={"tune": cheap.settings(metric=metric), "seed": 3})


def starting(rate: float) -> Space:
    return replace(cheap.SPACE, settings=settings(rate))


@pytest.fixture
def study(tmp_path):
    """Yield an opened study; its trials are over."""
    cheap.run(tmp_path, TUNE)
    with opened("cheap", "0", tmp_path, TUNE) as found:
        yield found


@pytest.mark.parametrize("metric", ["macro_f1", "log_loss"])
@pytest.mark.parametrize(("rate", "better"), [(0.001, "start"), (0.009, "best")])
def test_a_study_is_concluded_with_the_better_net_and_its_tables(
    study, metric, rate, better, tmp_path
):
    tuned = tuning.conclude(study, starting(rate), TRAINER, params(metric), tmp_path)
    pd.testing.assert_frame_equal(tuned.trials, trial_table.table(study.study, cheap.SPACE))
    shares = trial_table.importances(study.study, cheap.SPACE, 3)
    pd.testing.assert_frame_equal(tuned.importances, shares)
    rates = tuned.trials.set_index("trial")["train.learning_rate"]
    # A made net is the better the lower its rate.
    assert tuned.best.settings.train.learning_rate == min(rate, rates[tuned.summary["best_trial"]])
    assert (tuned.best.name, tuned.summary["chosen"]) == (better, better)
    assert tuned.summary["metric"] == metric
    labels, classes = TRAINER.validation.labels, TRAINER.validation.classes
    score = metrics.score(labels, tuned.best.probabilities, classes, TRAINER.seed)
    assert tuned.summary[better]["macro_f1"] == score["macro_f1"]
    assert tuned.summary.items() >= trial_table.summary(study.study).items()
