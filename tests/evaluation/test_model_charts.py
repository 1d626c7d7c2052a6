"""What the charts and the sheets of faces of a model show."""

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES, made_faces, made_predictions
from scipy.stats import norm

from mien import metrics
from mien.evaluation import model_charts, tables
from mien.figures import colours, save


def charts(labels: np.ndarray, probabilities: np.ndarray) -> dict:
    score = metrics.score(labels, probabilities, CLASSES, 1)
    bins = metrics.reliability(labels, probabilities)
    roc = tables.roc_table(labels, probabilities, CLASSES)
    pr = tables.pr_table(labels, probabilities, CLASSES)
    return {
        "confusion": model_charts.confusion_chart(score, "train"),
        "roc": model_charts.roc_chart(roc, score, "train"),
        "pr": model_charts.pr_chart(pr, score, "train"),
        "reliability": model_charts.reliability_chart(bins, score, "train"),
    }


def test_charts_are_the_same_bytes_for_the_same_numbers(tmp_path):
    for folder in ("one", "two"):
        for name, figure in charts(*made_predictions(100, 1.0)).items():
            save(figure, tmp_path / folder / f"{name}.png")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_confusion_cells_hold_share_and_count():
    labels = np.array([0, 0, 0, 1])
    probabilities = np.eye(4)[[0, 0, 2, 1]]
    texts = [text.get_text() for text in charts(labels, probabilities)["confusion"].axes[0].texts]
    assert texts[:4] == ["67 %\n2", "0 %\n0", "33 %\n1", "0 %\n0"]
    assert texts[8:12] == ["0 %\n0"] * 4


def test_legends_hold_the_scores_of_every_class():
    labels, probabilities = made_predictions(200, 1.0)
    labels[labels == 3] = 0
    per_class = metrics.score(labels, probabilities, CLASSES, 1)["per_class"]
    drawn = charts(labels, probabilities)
    for chart, metric in (("roc", "roc_auc"), ("pr", "average_precision")):
        entries = [text.get_text() for text in drawn[chart].legends[0].get_texts()]
        for name in CLASSES[:3]:
            assert f"{name} {per_class[name][metric]:.3f}" in entries
        assert "surprise n/a" in entries


def test_a_class_has_the_same_colour_in_every_chart():
    drawn = charts(*made_predictions(60, 1.0))
    for chart in ("roc", "pr"):
        lines = {line.get_label().split()[0]: line for line in drawn[chart].axes[0].lines}
        assert {name: lines[name].get_color() for name in CLASSES} == colours(CLASSES)


def test_bins_have_wilson_s_interval_and_are_faded_below_ten_images():
    bins = pd.DataFrame(
        {"bin": [5, 9], "confidence": [0.3, 0.6], "accuracy": [0.25, 0.75], "count": [4, 40]}
    )
    figure = model_charts.reliability_chart(bins, {"ece": 0.1}, "train")
    drawn = [
        (lines.get_segments()[0][:, 1].tolist(), lines.get_alpha())
        for lines in figure.axes[0].collections
    ]
    for (ends, alpha), (_, row) in zip(drawn, bins.iloc[::-1].iterrows(), strict=True):
        # The ends solve |accuracy - end| = z sqrt(end (1 - end) / count).
        left = [(row["accuracy"] - end) ** 2 for end in ends]
        right = [norm.ppf(0.975) ** 2 * end * (1 - end) / row["count"] for end in ends]
        assert left == pytest.approx(right)
        assert (alpha < 1) == (row["count"] < 10)


def sheet_captions(figure) -> list[str]:
    _title, *captions = figure.axes[0].texts
    return [caption.get_text() for caption in captions]


def test_mistakes_are_the_wrong_ones_from_the_most_confident_down():
    faces = made_faces(4)
    probabilities = np.array(
        [
            [0.30, 0.25, 0.25, 0.20],
            [0.60, 0.30, 0.05, 0.05],
            [0.10, 0.10, 0.70, 0.10],
            [0.02, 0.90, 0.04, 0.04],
        ]
    )
    sheet = model_charts.mistakes_sheet(faces, probabilities, "train")
    assert sheet_captions(sheet) == ["surprise → neutral\n90 %", "neutral → happy\n60 %"]
    shown = [image.get_array() for image in sheet.axes[0].images]
    np.testing.assert_array_equal(shown, faces.images[[3, 1]])
    few = model_charts.mistakes_sheet(faces, probabilities, "train", most=1)
    assert sheet_captions(few) == ["surprise → neutral\n90 %"]


def test_pairs_show_the_most_confident_face_of_each_cell():
    faces = made_faces(8)
    probabilities = np.tile(np.eye(4), (2, 1)) * 0.6 + 0.1
    probabilities[4] = [0.85, 0.05, 0.05, 0.05]
    sheet = model_charts.pairs_sheet(faces, probabilities, "train")
    captions = sheet_captions(sheet)
    assert len(captions) == 16
    assert captions[:2] == ["happy → happy\n85 %, 1 of 2", "happy → neutral\nnone"]
    np.testing.assert_array_equal(sheet.axes[0].images[0].get_array(), faces.images[4])


def test_no_mistakes_make_an_empty_sheet():
    faces = made_faces(4)
    sheet = model_charts.mistakes_sheet(faces, np.eye(4), "train")
    assert sheet_captions(sheet) == []
