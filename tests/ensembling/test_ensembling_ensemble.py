"""The ensemble is the method asked for or the best one, of members that were measured alike."""

from functools import cache

import numpy as np
import pytest
from conftest import CLASSES
from made_candidates import MODELS, VALIDATION, candidate, candidates, probabilities

from mien import metrics
from mien.ensembling import combination
from mien.ensembling.ensemble import Ensemble, build, check, choose
from mien.errors import MienError, ParamError

SEED = 17
LABELS = VALIDATION.labels
FOLDS = combination.assign_folds(LABELS, VALIDATION.index["group"].to_numpy(), SEED)


@cache
def built(method: str = "auto", wanted: tuple[str, ...] = ()) -> Ensemble:
    return build(candidates(), VALIDATION, wanted, method, SEED)


def used(names=MODELS) -> dict[str, np.ndarray]:
    return {name: candidates()[name].probabilities for name in names}


def test_scores_are_those_of_its_probabilities():
    found = built()
    assert (found.probabilities.dtype, found.probabilities.shape) == (np.float32, (160, 4))
    score = metrics.score_faces(VALIDATION, found.probabilities, SEED)
    assert found.metrics.items() >= score.items()


def test_auto_is_the_best_method_where_each_image_is_left_out():
    found = built().metrics
    scores = found["candidates"]
    assert set(scores) == set(combination.METHODS)
    assert scores[found["method"]] == max(scores.values()) == found["macro_f1"]
    crossed = combination.cross_fit(found["method"], used(), LABELS, FOLDS)
    np.testing.assert_array_equal(built().probabilities, crossed.astype(np.float32))


@pytest.mark.parametrize("method", combination.METHODS)
def test_a_method_that_is_asked_for_is_taken(method):
    found = built(method)
    expected = combination.fit(method, used(), LABELS, FOLDS)
    assert found.record["combination"] == expected
    assert found.metrics["method"] == method
    assert found.metrics["macro_f1"] == built().metrics["candidates"][method]
    weights = found.tables["members"].set_index("name")["weight"].dropna().to_dict()
    told = zip(expected["members"], expected.get("weights", ()), strict=False)
    assert weights == dict(told)


def test_the_record_says_how_to_combine_which_members():
    record, found = built().record, built().metrics
    assert record["name"] == "ensemble"
    assert record["spec"] == {"arch": "ensemble", "classes": list(CLASSES), "image_size": 48}
    assert record["combination"]["members"] == found["members"] == [*MODELS]
    assert record["combination"]["temperature"] == found["temperature"]
    hashes = {name: each.record["weights_sha256"] for name, each in candidates().items()}
    assert record["members"] == hashes


def test_tables_agree_with_the_metrics():
    found, tables = built().metrics, built().tables
    members = tables["members"].set_index("name")
    assert list(members.index) == [*MODELS]
    for name, row in members.iterrows():
        score = found["member_scores"][name]
        for column in ("arch", "macro_f1", "macro_f1_low", "macro_f1_high", "accuracy"):
            assert row[column] == score[column]
        assert row["leave_one_out"] == found["leave_one_out"][name]
    shares = tables["disagreement"].set_index("member")
    assert shares.loc["train", "tune_compact"] == found["disagreement"]["train"]["tune_compact"]
    methods = tables["methods"].set_index("method")
    assert methods["macro_f1"].to_dict() == found["candidates"]
    for column in ("accuracy", "log_loss", "ece"):
        assert methods.loc[found["method"], column] == found[column]


def test_members_that_are_wanted_are_combined_and_all_models_are_scored():
    found = built("auto", ("tune_simple_cnn", "train")).metrics
    assert found["members"] == ["train", "tune_simple_cnn"]
    assert set(found["leave_one_out"]) == set(found["disagreement"]) == set(found["members"])
    assert set(found["member_scores"]) == set(MODELS)
    assert found["best_member"] == "tune_compact"


def test_one_member_is_an_ensemble_too():
    found = built("stacking", ("tune_compact",)).metrics
    assert (found["method"], found["leave_one_out"]) == ("mean", {})
    assert found["macro_f1"] == found["member_scores"]["tune_compact"]["macro_f1"]


def test_equal_nets_count_once_and_are_named():
    made = candidates()
    made["tune_compact"] = made["train"]
    assert choose((), made) == (["train", "tune_simple_cnn"], {"tune_compact": "train"})
    # Of those that are wanted alone.
    wanted = ("tune_compact", "tune_simple_cnn")
    assert choose(wanted, made) == ([*wanted], {})


def test_a_wanted_name_that_is_no_model_s_is_answered_with_those_there_are():
    with pytest.raises(ParamError) as caught:
        choose(("train", "tune_vgg16"), candidates())
    assert str(caught.value) == (
        "ensemble.members: tune_vgg16 is no model, one of train, tune_compact, tune_simple_cnn; "
        "change it, or add its architecture to tune.archs"
    )


SAID = probabilities(1, 1.5)
TURNED = ("happy", "sad", "neutral", "surprise")


@pytest.mark.parametrize(
    ("other", "got"),
    [
        (candidate("compact", SAID, TURNED), "160 images of happy, sad, neutral, surprise"),
        (candidate("compact", SAID[:-1]), "159 images of happy, neutral, sad, surprise"),
    ],
)
def test_a_model_that_was_measured_otherwise_is_one_line(other, got):
    with pytest.raises(MienError) as caught:
        build(candidates() | {"tune_compact": other}, VALIDATION, (), "mean", SEED)
    assert str(caught.value) == (
        "tune_compact must be measured on the 160 images of the validation split, of happy, "
        f"neutral, sad, surprise, got {got}; run `dvc repro`"
    )


def test_models_that_were_measured_alike_pass():
    check(candidates(), VALIDATION)
    with pytest.raises(MienError, match=r"train must be measured on the 159 images"):
        check(candidates(), VALIDATION.take(np.arange(159)))
