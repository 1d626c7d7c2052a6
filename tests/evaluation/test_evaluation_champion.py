"""The champion is the best on validation of those that cost little enough."""

import numpy as np
import pytest
from conftest import made_faces

from mien import metrics
from mien.errors import ParamError
from mien.evaluation import champion

COSTS = {"train": 20_000_000, "tune_compact": 5_000_000, "ensemble": 25_000_000}


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (None, ["train", "tune_compact", "ensemble"]),
        (25, ["train", "tune_compact", "ensemble"]),
        (24.9, ["train", "tune_compact"]),
        (5, ["tune_compact"]),
    ],
)
def test_models_up_to_the_limit_may_be_champion(limit, expected):
    assert champion.affordable(COSTS, limit) == expected


def test_a_limit_that_no_model_keeps_to_names_the_cheapest():
    with pytest.raises(ParamError) as caught:
        champion.affordable(COSTS, 0.5)
    assert str(caught.value) == (
        "evaluate.multiply_adds: no model takes at most 0.5 million; tune_compact takes 5.0 "
        "million; raise it, or leave it empty"
    )


def of(**macro_f1: float) -> dict[str, dict[str, float]]:
    return {name: {"macro_f1": value} for name, value in macro_f1.items()}


def test_the_best_on_validation_wins_and_an_ensemble_no_better_does_not():
    names = [*COSTS]
    assert champion.best(names, of(train=0.6, tune_compact=0.7, ensemble=0.65)) == "tune_compact"
    assert champion.best(names, of(train=0.6, tune_compact=0.7, ensemble=0.7)) == "tune_compact"
    assert champion.best(names, of(train=0.6, tune_compact=0.7, ensemble=0.71)) == "ensemble"
    assert champion.best(["train"], of(train=0.6, tune_compact=0.7, ensemble=0.71)) == "train"


def test_every_other_model_is_compared_with_the_champion():
    test = made_faces(40)
    rng = np.random.default_rng(0)
    said = {name: rng.dirichlet(np.ones(4), 40).astype(np.float32) for name in COSTS}
    found = champion.compared("tune_compact", said, test, 3)
    assert set(found) == {"train", "ensemble"}
    right = {name: part.argmax(axis=1) == test.labels for name, part in said.items()}
    for name, pair in found.items():
        assert pair == metrics.paired(test.labels, said[name], said["tune_compact"], 3)
        assert pair["only_a"] == (right[name] & ~right["tune_compact"]).sum()
        assert pair["only_b"] == (right["tune_compact"] & ~right[name]).sum()


def test_the_summary_has_the_test_scores_of_the_champion_and_of_train():
    scores = {
        name: {"accuracy": value, "macro_f1": value, "roc_auc": value, "ece": 0.1, "arch": name}
        for name, value in (("train", 0.5), ("tune_compact", 0.4), ("ensemble", 0.9))
    }
    validation = of(train=0.6, tune_compact=0.7, ensemble=0.65)
    few = champion.summary("tune_compact", scores, validation)
    same = {"accuracy": 0.4, "macro_f1": 0.4, "roc_auc": 0.4, "ece": 0.1}
    assert few["champion"] == same | {"validation_macro_f1": 0.7, "model": "tune_compact"}
    same = {"accuracy": 0.5, "macro_f1": 0.5, "roc_auc": 0.5, "ece": 0.1}
    assert few["train"] == same | {"validation_macro_f1": 0.6, "arch": "train"}
