"""Scores by group of persons, against scikit-learn and arithmetic."""

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES, made_predictions
from sklearn.metrics import accuracy_score, f1_score

from mien.evaluation import groups
from mien.faces import GROUP, Faces

LABELS, PROBABILITIES = made_predictions(400, 2.0)


def faces(**properties: list[str | None]) -> Faces:
    index = pd.DataFrame(
        {
            "name": [f"{row}.png" for row in range(len(LABELS))],
            "label": pd.Categorical.from_codes(LABELS, categories=CLASSES),
        }
    )
    for name, values in properties.items():
        index[GROUP + name] = values
    return Faces(np.zeros((len(LABELS), 2, 2), np.uint8), index, None)


def measured(**properties: list[str | None]) -> dict:
    return groups.measure(faces(**properties), {"train": PROBABILITIES}, seed=3)


def test_each_group_has_scikit_learns_scores_within_their_interval():
    gender = ["woman", "man"] * 200
    found = measured(gender=gender)["gender"]["train"]["groups"]
    predicted = PROBABILITIES.argmax(axis=1)
    assert list(found) == ["man", "woman"]
    for value, score in found.items():
        rows = np.array(gender) == value
        assert score["n"] == rows.sum()
        expected = {
            "accuracy": accuracy_score(LABELS[rows], predicted[rows]),
            "macro_f1": f1_score(LABELS[rows], predicted[rows], average="macro"),
        }
        for name, right in expected.items():
            assert score[name] == pytest.approx(right, abs=1e-6)
            assert score[f"{name}_low"] < score[name] < score[f"{name}_high"]


def test_the_gap_is_between_the_largest_groups_best_and_worst():
    right = PROBABILITIES.argmax(axis=1) == LABELS
    # All mistakes are of the young, besides a tiny group that is not compared.
    age = np.where(right, "old", "young").astype(object)
    age[np.flatnonzero(right)[:5]] = "unsure"
    found = measured(age=list(age))["age"]["train"]
    assert found["groups"]["unsure"]["n"] == 5
    gap = found["gap"]
    assert (gap["best"], gap["worst"], gap["difference"]) == ("old", "young", 1.0)
    assert 0.8 < gap["difference_low"] <= 1.0 <= gap["difference_high"]


def test_groups_drawn_by_lot_have_a_gap_whose_interval_holds_zero():
    rng = np.random.default_rng(5)
    gap = measured(lot=list(rng.choice(["a", "b"], len(LABELS))))["lot"]["train"]["gap"]
    assert gap["difference_low"] < 0 < gap["difference_high"]


def test_what_is_not_known_is_shown_and_not_compared():
    values = ["a"] * 200 + [None] * 100 + [""] * 100
    found = measured(age=values)["age"]["train"]
    assert {value: score["n"] for value, score in found["groups"].items()} == {
        "a": 200,
        "not known": 200,
    }
    assert found["gap"] is None


def test_a_source_without_properties_has_no_groups():
    assert measured() == {}


def test_the_chart_has_a_panel_a_property_and_a_row_a_group():
    found = measured(gender=["woman", "man"] * 200, age=["1"] * 390 + ["2"] * 10)
    figure = groups.groups_chart(found, "train", "train (compact)")
    gender, age = figure.axes
    assert [text.get_text() for text in gender.get_yticklabels()] == ["man (200)", "woman (200)"]
    assert [text.get_text() for text in age.get_yticklabels()] == ["1 (390)", "2 (10)"]
    assert "train (compact)" in figure.get_suptitle()
