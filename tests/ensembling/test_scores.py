"""What each member adds and where members differ, against arithmetic and the metrics."""

import numpy as np
import pytest
from conftest import CLASSES
from made_candidates import MODELS, VALIDATION, candidates

from mien import metrics
from mien.ensembling import combination, scores

LABELS = VALIDATION.labels
FOLDS = combination.assign_folds(LABELS, VALIDATION.index["group"].to_numpy(), 17)
USED = {name: each.probabilities for name, each in candidates().items()}


def macro_f1(probabilities: np.ndarray) -> float:
    return float(metrics.measure(LABELS, probabilities, CLASSES)["macro_f1"])


def test_each_method_is_scored_where_its_images_were_left_out():
    crossed, table = scores.judge(USED, VALIDATION, FOLDS)
    assert list(crossed) == list(table.index) == list(combination.METHODS)
    for method, part in crossed.items():
        assert part.dtype == np.float32
        expected = combination.cross_fit(method, USED, LABELS, FOLDS).astype(np.float32)
        np.testing.assert_array_equal(part, expected)
        measured = metrics.measure(LABELS, part, CLASSES)
        for column in ("macro_f1", "accuracy", "log_loss", "ece"):
            assert table.loc[method, column] == pytest.approx(measured[column], abs=1e-6)


def test_a_member_adds_what_is_missing_without_it():
    whole = macro_f1(combination.cross_fit("mean", USED, LABELS, FOLDS))
    found = scores.leave_one_out("mean", USED, VALIDATION, FOLDS, whole)
    for name in MODELS:
        others = {other: part for other, part in USED.items() if other != name}
        without = macro_f1(combination.cross_fit("mean", others, LABELS, FOLDS))
        assert found[name] == pytest.approx(without - whole, abs=2e-6)
    assert scores.leave_one_out("mean", {"train": USED["train"]}, VALIDATION, FOLDS, 0.5) == {}


def test_disagreement_is_the_share_of_images_with_different_answers():
    found = scores.disagreement(USED)
    for name, row in found.items():
        assert set(row) == set(MODELS) - {name}
        for other, share in row.items():
            differ = USED[name].argmax(axis=1) != USED[other].argmax(axis=1)
            assert share == pytest.approx(differ.sum() / len(differ), abs=1e-6)


def test_the_ensemble_stands_beside_every_model_and_against_the_best():
    records = {name: each.record for name, each in candidates().items()}
    crossed = combination.cross_fit("mean", USED, LABELS, FOLDS)
    found = scores.against_models(crossed, USED, records, VALIDATION, 17)
    for name, (arch, _) in MODELS.items():
        score = metrics.score(LABELS, USED[name], CLASSES, 17)
        expected = {
            f"{metric}{end}": score[f"{metric}{end}"]
            for metric in ("accuracy", "macro_f1", "roc_auc")
            for end in ("", "_low", "_high")
        }
        assert found["member_scores"][name] == {"arch": arch, **expected}
    assert found["best_member"] == max(USED, key=lambda name: macro_f1(USED[name]))
    pair = metrics.paired(LABELS, crossed, USED[found["best_member"]], 17)
    assert found["difference"] == pair
