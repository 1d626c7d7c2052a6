"""What came of a study: a row a trial, its counts, its best trial, what mattered."""

import math

import cheap
import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState, create_trial

from mien.tuning import trial_table


def test_a_row_for_each_trial_that_has_ended():
    study = optuna.create_study(direction="maximize")
    params, space = cheap.SPACE.start, cheap.SPACE.distributions

    def add(state: TrialState, epochs: int, value: float | None = None, **attributes: str) -> None:
        values = {epoch: 0.1 * epoch for epoch in range(1, epochs + 1)}
        study.add_trial(
            create_trial(
                state=state,
                value=value,
                params=params,
                distributions=space,
                intermediate_values=values,
                user_attrs=attributes,
            )
        )

    add(TrialState.COMPLETE, 4, 0.41234567)
    add(TrialState.PRUNED, 2, 0.2)
    add(TrialState.FAIL, 1, reason="epoch 2: the loss is nan")
    add(TrialState.COMPLETE, 4, 0.5)
    add(TrialState.COMPLETE, 4, 0.5)
    study.enqueue_trial(params)
    table = trial_table.table(study, cheap.SPACE)
    assert list(table) == ["trial", "state", "value", "epochs", "reason", *space]
    assert table["trial"].tolist() == [1, 2, 3, 4, 5]
    assert table["state"].tolist() == ["complete", "pruned", "failed", "complete", "complete"]
    assert table["epochs"].tolist() == [4, 2, 1, 4, 4]
    assert table["value"].tolist()[:2] == [0.412346, 0.2]
    assert math.isnan(table["value"][2])
    assert table["reason"].dropna().to_dict() == {2: "epoch 2: the loss is nan"}
    assert trial_table.summary(study) == {
        "trials": 5,
        "complete": 3,
        "pruned": 1,
        "failed": 1,
        # Of equals the first.
        "best_trial": 4,
        "best_value": 0.5,
    }


def test_a_study_without_a_complete_trial_has_no_best_one():
    study = optuna.create_study()
    assert trial_table.best(study) is None
    assert trial_table.summary(study)["best_trial"] is None
    assert trial_table.table(study, cheap.SPACE).empty


@pytest.mark.parametrize(("direction", "number"), [("minimize", 1), ("maximize", 2)])
def test_the_best_trial_is_that_of_the_study_s_direction(direction, number):
    study = optuna.create_study(direction=direction)
    for value in (0.4, 0.2, 0.6):
        study.add_trial(create_trial(value=value))
    assert trial_table.best(study).number == number


def test_importances_need_ten_complete_trials_and_are_shares():
    few = trial_table.importances(cheap.complete_study(9), cheap.SPACE, seed=0)
    assert (list(few), len(few)) == (["param", "importance"], 0)
    study = cheap.complete_study(200)
    some, again = (trial_table.importances(study, cheap.SPACE, seed=0) for _ in range(2))
    pd.testing.assert_frame_equal(some, again)
    assert set(some["param"]) == set(cheap.SPACE.start)
    assert some["importance"].sum() == pytest.approx(1, abs=1e-5)
    assert some["importance"].is_monotonic_decreasing
    # As in `cheap.figure`: the depth counts most, the optimiser least.
    assert some["param"].tolist()[0] == "model.depth"
    assert some["param"].tolist()[-1] == "train.optimizer"
