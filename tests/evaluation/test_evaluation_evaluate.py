"""An evaluation scores every model on test, by which no champion is chosen."""

from functools import partial

import made_models
import numpy as np
import pandas as pd
import pytest
from made_models import COMBINATION, HISTORY, IDS, SCORES, TEST
from sklearn.metrics import accuracy_score

from mien import metrics, models, params
from mien.errors import MienError, ParamError
from mien.evaluation.evaluate import Evaluation, Models, evaluate, in_turn
from mien.params import Evaluate

NAMES = [*IDS, "ensemble"]
HOW = params.load().evaluate
SEED = 17


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """Return what evaluates the models, given their macro-F1 on validation and how."""
    folder = tmp_path_factory.mktemp("evaluation")
    made_models.written(folder)
    given = partial(
        Models,
        ids=IDS,
        records={name: made_models.record(name) for name in NAMES},
        histories=dict.fromkeys(IDS, HISTORY),
    )

    def run(scores: dict[str, float] = SCORES, how: Evaluate = HOW, test=TEST) -> Evaluation:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            return evaluate(given(validation=made_models.validation(**scores)), test, how, SEED)

    return run


@pytest.fixture(scope="module")
def found(evaluated) -> Evaluation:
    return evaluated()


def test_scores_are_those_of_the_probabilities_on_test(found):
    assert list(found.scores) == list(found.probabilities) == NAMES
    for name, score in found.scores.items():
        expected = metrics.score_faces(TEST, found.probabilities[name], SEED)
        assert score == {"arch": "simple_cnn" if name in IDS else "ensemble", **expected}
    combined = 0.75 * found.probabilities["train"] + 0.25 * found.probabilities["tune_simple_cnn"]
    np.testing.assert_allclose(found.probabilities["ensemble"], combined, atol=1e-6)
    assert found.probabilities["ensemble"].dtype == np.float32
    assert found.metrics() == {
        "models": found.scores,
        "champion": found.champion,
        "compared": found.compared,
    }


def test_charts_call_each_model_by_its_name_and_what_it_is(found):
    assert found.labels == {
        "train": "train (simple_cnn)",
        "tune_simple_cnn": "tune_simple_cnn",
        "tune_two_conv": "tune_two_conv (simple_cnn)",
        "ensemble": f"ensemble ({COMBINATION['method']})",
    }


def test_tables_hold_all_models_and_agree_with_the_scores(found):
    tables = found.tables
    assert set(tables) == {
        *("confusion", "per_class", "pr", "reliability", "roc"),
        *("learning_curves", "leaderboard", "robustness"),
    }
    for name in ("confusion", "per_class", "pr", "reliability", "roc"):
        assert tables[name]["model"].unique().tolist() == NAMES
    confusion = tables["confusion"].query("model == 'train'")
    accuracy = accuracy_score(
        confusion["actual"], confusion["predicted"], sample_weight=confusion["count"]
    )
    assert accuracy == pytest.approx(found.scores["train"]["accuracy"], abs=1e-6)
    bins = tables["reliability"].query("model == 'train'")
    gaps = (bins["accuracy"] - bins["confidence"]).abs() * bins["count"]
    assert gaps.sum() / len(TEST) == pytest.approx(found.scores["train"]["ece"], abs=2e-6)
    curves = tables["learning_curves"].query("model == 'train'").drop(columns="model")
    pd.testing.assert_frame_equal(curves, HISTORY)
    assert tables["leaderboard"]["model"].tolist()[0] == found.champion


def test_robustness_is_the_champion_s(found):
    clean = found.robustness.rows[0]
    assert clean["accuracy"] == found.scores[found.champion]["accuracy"]
    assert len(found.robustness.images) == 8 * len(found.robustness.rows)


def test_attention_is_kept_of_faces_of_all_classes(found):
    np.testing.assert_array_equal(found.shown, in_turn(TEST)[:12])
    assert np.bincount(TEST.labels[found.shown]).tolist() == [3, 3, 3, 3]
    assert {len(maps) for maps in found.attention["train"].values()} == {12}
    assert found.attention["tune_two_conv"] == {}


def test_rows_come_in_turn_of_the_classes():
    uneven = TEST.take(np.array([0, 4, 8, 1, 2, 6]))
    labels = uneven.labels[in_turn(uneven)]
    assert labels.tolist() == [0, 1, 2, 0, 2, 0]


def test_the_champion_is_the_best_on_validation_even_if_worst_on_test(found, evaluated):
    assert found.champion == "train"
    worst, *others = sorted(NAMES, key=lambda name: found.scores[name]["macro_f1"])
    assert found.scores[worst]["macro_f1"] < found.scores[others[0]]["macro_f1"]
    other = evaluated({**dict.fromkeys(NAMES, 0.8), worst: 0.9})
    assert other.champion == other.summary["champion"]["model"] == worst
    assert other.summary["champion"]["validation_macro_f1"] == 0.9
    assert set(other.compared) == set(others)
    assert other.robustness.rows[0]["accuracy"] == found.scores[worst]["accuracy"]


def test_an_ensemble_costs_what_its_members_do(evaluated):
    costs = {name: models.cost(made_models.net(name))[1] / 10**6 for name in IDS}
    together = costs["train"] + costs["tune_simple_cnn"]
    better = SCORES | {"ensemble": 0.9}
    just = HOW.model_copy(update={"multiply_adds": together, "tta": "flip"})
    assert evaluated(better, just).champion == "ensemble"
    less = HOW.model_copy(update={"multiply_adds": 0.999 * together})
    assert evaluated(better, less).champion == "train"
    with pytest.raises(ParamError, match=r"multiply_adds: no model takes at most 0\.1 million"):
        evaluated(better, HOW.model_copy(update={"multiply_adds": 0.1}))


def test_no_test_images_are_one_line(evaluated):
    with pytest.raises(MienError, match=r"^the test split must hold .* got 0 of .*`dvc repro`$"):
        evaluated(test=TEST.take(np.array([], int)))
