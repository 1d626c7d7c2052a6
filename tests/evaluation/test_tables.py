"""The tables behind the charts against scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES, made_predictions
from sklearn.metrics import auc, confusion_matrix, precision_recall_curve, roc_auc_score

from mien import metrics
from mien.evaluation import tables


@pytest.mark.parametrize("skill", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("count", [60, 4000])
def test_thinned_roc_keeps_scikit_learns_area(count, skill):
    labels, probabilities = made_predictions(count, skill)
    table = tables.roc_table(labels, probabilities, CLASSES)
    for code, name in enumerate(CLASSES):
        curve = table[table["class"] == name]
        assert len(curve) <= 200
        assert curve.iloc[0][["fpr", "tpr"]].tolist() == [0, 0]
        assert curve.iloc[-1][["fpr", "tpr"]].tolist() == [1, 1]
        expected = roc_auc_score(labels == code, probabilities[:, code])
        assert auc(curve["fpr"], curve["tpr"]) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("skill", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("count", [60, 4000])
def test_thinned_precision_recall_keeps_scikit_learns_area(count, skill):
    labels, probabilities = made_predictions(count, skill)
    table = tables.pr_table(labels, probabilities, CLASSES)
    for code, name in enumerate(CLASSES):
        curve = table[table["class"] == name]
        assert len(curve) <= 200
        assert curve["recall"].is_monotonic_increasing
        precision, recall, _ = precision_recall_curve(labels == code, probabilities[:, code])
        area = auc(curve["recall"], curve["precision"])
        assert area == pytest.approx(auc(recall, precision), abs=2e-3)


def test_class_without_images_has_no_curve():
    labels, probabilities = made_predictions(80, 1.0)
    labels[labels == 1] = 0
    for table in (tables.roc_table, tables.pr_table):
        assert set(table(labels, probabilities, CLASSES)["class"]) == {"happy", "sad", "surprise"}


def test_images_of_one_class_have_no_curves_but_all_columns():
    table = tables.roc_table(np.zeros(3, int), np.full((3, 4), 0.25), CLASSES)
    assert table.columns.tolist() == ["class", "fpr", "tpr"]
    assert table.empty


def test_confusion_table_has_scikit_learns_cells_and_their_share_of_the_true_class():
    labels, probabilities = made_predictions(300, 1.0)
    labels[labels == 3] = 0
    table = tables.confusion_table(metrics.score(labels, probabilities, CLASSES, 1))
    assert table["actual"].tolist() == [name for name in CLASSES for _ in CLASSES]
    assert table["predicted"].tolist() == [*CLASSES] * 4
    expected = confusion_matrix(labels, probabilities.argmax(axis=1), labels=range(4))
    assert table["count"].tolist() == expected.ravel().tolist()
    shares = expected / np.maximum(expected.sum(axis=1, keepdims=True), 1)
    assert table["share"].to_numpy() == pytest.approx(shares.ravel(), abs=1e-6)


def test_a_row_a_class_holds_its_scores():
    labels, probabilities = made_predictions(300, 1.0)
    score = metrics.score(labels, probabilities, CLASSES, 1)
    table = tables.per_class_table(score).set_index("class")
    assert table.to_dict("index") == score["per_class"]


def test_tables_leave_their_arguments_alone():
    labels, probabilities = made_predictions(300, 1.0)
    before = probabilities.copy()
    tables.roc_table(labels, probabilities, CLASSES)
    pd.testing.assert_frame_equal(pd.DataFrame(probabilities), pd.DataFrame(before))
