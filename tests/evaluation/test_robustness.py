"""Robustness is measured on images that are corrupted here, and drawn as it is."""

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES, made_faces

from mien import metrics
from mien.evaluation import robustness
from mien.evaluation.corruptions import CORRUPTIONS, corrupt

TEST = made_faces(40)
SEED, SHOWN = 17, np.array([3, 8])


def predict(images: np.ndarray, title: str) -> np.ndarray:
    """Answer by the brightness of the quadrants, in which the class of a made face shows."""
    quadrants = images.astype(float).reshape(-1, 2, 24, 2, 24).mean(axis=(2, 4)).reshape(-1, 4)
    odds = np.exp((quadrants - quadrants.mean(axis=1, keepdims=True)) / 40)
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def measured() -> robustness.Robustness:
    return robustness.measure(predict, TEST, SHOWN, SEED)


def test_each_corruption_and_severity_has_the_scores_of_its_images(measured):
    clean, *spoilt = measured.rows
    assert clean.items() >= {"corruption": "clean", "severity": 0, "level": None}.items()
    steps = [(name, step) for name in CORRUPTIONS for step in (1, 2, 3)]
    assert [(row["corruption"], row["severity"]) for row in spoilt] == steps
    for row in measured.rows:
        images = TEST.images
        if row["severity"]:
            images = corrupt(images, row["corruption"], row["severity"], SEED)
            assert row["level"] == CORRUPTIONS[row["corruption"]].levels[row["severity"] - 1]
        expected = metrics.score(TEST.labels, predict(images, ""), CLASSES, SEED)
        scores = {key: row[key] for key in row if key.startswith(("accuracy", "macro_f1"))}
        assert len(scores) == 6
        assert scores.items() <= expected.items()
    accuracies = [row["accuracy"] for row in measured.rows]
    assert accuracies[0] == 1 > min(accuracies)


def test_the_metrics_are_means_over_the_corruptions_alone(measured):
    written = measured.metrics("train")
    assert (written["champion"], written["images"]) == ("train", measured.rows)
    for key in ("accuracy", "macro_f1"):
        mean = np.mean([row[key] for row in measured.rows[1:]])
        assert written[f"mean_{key}"] == pytest.approx(mean, abs=1e-6)
    pd.testing.assert_frame_equal(measured.table, pd.DataFrame(measured.rows))


def test_pictures_are_corrupted_faces_with_their_answers(measured):
    sheet = robustness.sheet(measured, "train (compact)")
    shown = [np.asarray(image.get_array()) for image in sheet.axes[0].images]
    title, *captions = [text.get_text() for text in sheet.axes[0].texts]
    assert "train (compact)" in title
    assert len(shown) == len(captions) == 2 * len(measured.rows)
    place = 2 * [row["corruption"] for row in measured.rows].index("darkness")
    dark = corrupt(TEST.images, "darkness", 1, SEED)
    np.testing.assert_array_equal(shown[place : place + 2], dark[SHOWN])
    labels = [CLASSES[code] for code in TEST.labels[SHOWN]]
    answers = [CLASSES[code] for code in predict(dark[SHOWN], "").argmax(axis=1)]
    for caption, label, answer in zip(captions[place:], labels, answers, strict=False):
        assert caption == f"darkness 1\n{label} → {answer}"


def test_the_chart_has_a_panel_a_corruption_that_begins_with_the_clean_images(measured):
    figure = robustness.robustness_chart(measured.table, "train")
    assert [panel.get_title() for panel in figure.axes] == [*CORRUPTIONS]
    for panel, name in zip(figure.axes, CORRUPTIONS, strict=True):
        rows = measured.table[measured.table["corruption"].isin(["clean", name])]
        drawn = {line.get_label(): line.get_ydata().tolist() for line in panel.lines}
        assert drawn == {
            "accuracy": rows["accuracy"].tolist(),
            "macro-F1": rows["macro_f1"].tolist(),
        }
        ticks = [label.get_text() for label in panel.get_xticklabels()]
        assert ticks == ["clean", *(f"{level:g}" for level in CORRUPTIONS[name].levels)]
