"""Each metric against scikit-learn or arithmetic, and the properties all of them share."""

import json

import numpy as np
import pytest
from conftest import made_faces
from sklearn import metrics as reference

from mien import metrics

NAMES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def made_predictions(
    count: int, classes: int, seed: int = 0, skill: float = 1.5
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and probabilities that are better than chance by `skill` nats."""
    rng = np.random.default_rng((seed, count, classes))
    labels = rng.integers(classes, size=count)
    logits = rng.normal(size=(count, classes))
    logits[np.arange(count), labels] += skill
    odds = np.exp(logits)
    return labels, odds / odds.sum(axis=1, keepdims=True)


def scored(labels, probabilities, seed: int = 1) -> dict:
    return metrics.score(labels, probabilities, NAMES[: np.shape(probabilities)[1]], seed)


def without_intervals(values: dict) -> dict:
    return {name: value for name, value in values.items() if not name.endswith(("_low", "_high"))}


@pytest.mark.parametrize("classes", [2, 3, 4, 7])
def test_every_metric_is_scikit_learns(classes):
    labels, probabilities = made_predictions(400, classes)
    predicted = probabilities.argmax(axis=1)
    hot = np.eye(classes)[labels]
    values = scored(labels, probabilities)
    expected = {
        "n": 400,
        "accuracy": reference.accuracy_score(labels, predicted),
        "macro_precision": reference.precision_score(labels, predicted, average="macro"),
        "macro_recall": reference.recall_score(labels, predicted, average="macro"),
        "macro_f1": reference.f1_score(labels, predicted, average="macro"),
        "roc_auc": reference.roc_auc_score(hot, probabilities, average="macro"),
        "average_precision": reference.average_precision_score(hot, probabilities, average="macro"),
        "log_loss": reference.log_loss(labels, probabilities),
        "brier": ((probabilities - hot) ** 2).sum(axis=1).mean(),
    }
    assert {name: values[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert values["confusion"] == reference.confusion_matrix(labels, predicted).tolist()


@pytest.mark.parametrize("classes", [2, 7])
def test_every_class_is_scored_as_scikit_learn_does(classes):
    labels, probabilities = made_predictions(300, classes)
    report = reference.classification_report(
        labels,
        probabilities.argmax(axis=1),
        target_names=NAMES[:classes],
        output_dict=True,
    )
    per_class = scored(labels, probabilities)["per_class"]
    assert list(per_class) == list(NAMES[:classes])
    for code, (name, values) in enumerate(per_class.items()):
        own, rest = labels == code, probabilities[:, code]
        expected = {
            "precision": report[name]["precision"],
            "recall": report[name]["recall"],
            "f1": report[name]["f1-score"],
            "roc_auc": reference.roc_auc_score(own, rest),
            "average_precision": reference.average_precision_score(own, rest),
            "support": own.sum(),
        }
        assert values == pytest.approx(expected, abs=1e-6)


def test_confusion_has_true_classes_in_rows():
    values = scored([0, 0, 1], [[0.2, 0.8], [0.4, 0.6], [0.1, 0.9]])
    assert values["confusion"] == [[0, 2], [0, 1]]


def test_of_equal_probabilities_the_first_class_is_predicted():
    assert scored([0, 1], [[0.5, 0.5], [0.5, 0.5]])["confusion"] == [[1, 0], [1, 0]]


def test_scores_are_json_with_six_digits():
    values = scored(*made_predictions(50, 3))
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert values["accuracy"] == round(values["accuracy"], 6)
    assert values["per_class"]["fear"]["roc_auc"] == round(
        values["per_class"]["fear"]["roc_auc"], 6
    )


def test_arguments_are_left_as_they_were():
    labels, probabilities = made_predictions(50, 3)
    probabilities = probabilities.astype(np.float32)
    before = labels.copy(), probabilities.copy()
    scored(labels, probabilities)
    np.testing.assert_array_equal(labels, before[0])
    np.testing.assert_array_equal(probabilities, before[1])


def test_single_precision_scores_like_double():
    labels, probabilities = made_predictions(200, 4)
    single = without_intervals(scored(labels, probabilities.astype(np.float32)))
    double = without_intervals(scored(labels, probabilities))
    assert single.pop("per_class")["fear"] == pytest.approx(
        double.pop("per_class")["fear"], abs=2e-6
    )
    for name in ("classes", "confusion"):
        assert single.pop(name) == double.pop(name)
    assert single == pytest.approx(double, abs=2e-6)


# Properties


def test_order_of_the_images_does_not_matter():
    labels, probabilities = made_predictions(500, 5)
    order = np.random.default_rng(3).permutation(500)
    values, mixed = scored(labels, probabilities), scored(labels[order], probabilities[order])
    assert mixed["per_class"] == values["per_class"]
    assert mixed["confusion"] == values["confusion"]
    for name, value in values.items():
        if isinstance(value, float):
            # The intervals draw other images, so they agree as two seeds do.
            drawn = name.endswith(("_low", "_high"))
            assert mixed[name] == pytest.approx(value, abs=0.01 if drawn else 1e-6), name


def test_perfect_predictions_score_one():
    labels = np.arange(60) % 4
    values = scored(labels, np.eye(4)[labels])
    perfect = (
        "accuracy",
        "macro_f1",
        "roc_auc",
        "macro_precision",
        "macro_recall",
        "average_precision",
    )
    assert {values[name] for name in perfect} == {1.0}
    assert {values[f"{name}_{end}"] for name in perfect[:3] for end in ("low", "high")} == {1.0}
    assert [values[name] for name in ("log_loss", "brier", "ece")] == pytest.approx([0, 0, 0])


def test_certain_and_wrong_is_the_worst_brier():
    values = scored([0, 1], [[0, 1], [1, 0]])
    assert (values["brier"], values["accuracy"], values["roc_auc"]) == (2, 0, 0)


def test_renaming_the_classes_permutes_the_scores():
    labels, probabilities = made_predictions(300, 4)
    order = np.array([2, 0, 3, 1])
    names = NAMES[:4]
    values = metrics.score(labels, probabilities, names, 1)
    renamed = metrics.score(
        np.argsort(order)[labels], probabilities[:, order], [names[code] for code in order], 1
    )
    assert renamed["per_class"] == values["per_class"]
    assert list(renamed["per_class"]) == [names[code] for code in order]
    np.testing.assert_array_equal(
        renamed["confusion"], np.array(values["confusion"])[np.ix_(order, order)]
    )
    for name in ("macro_f1", "roc_auc", "log_loss", "brier", "ece", "macro_f1_low"):
        assert renamed[name] == pytest.approx(values[name], abs=1e-6)


# Classes without images


def test_absent_class_has_no_ranking_and_stays_out_of_its_mean():
    labels, probabilities = made_predictions(300, 4)
    probabilities = probabilities[labels != 2]
    labels = labels[labels != 2]
    values = scored(labels, probabilities)
    absent = values["per_class"]["fear"]
    assert absent == {
        "precision": 0,
        "recall": 0,
        "f1": 0,
        "roc_auc": None,
        "average_precision": None,
        "support": 0,
    }
    others = [reference.roc_auc_score(labels == code, probabilities[:, code]) for code in (0, 1, 3)]
    assert values["roc_auc"] == pytest.approx(np.mean(others), abs=1e-6)
    assert values["roc_auc_low"] < values["roc_auc"] < values["roc_auc_high"]
    assert values["macro_f1"] == pytest.approx(
        reference.f1_score(
            labels,
            probabilities.argmax(axis=1),
            labels=range(4),
            average="macro",
            zero_division=0,
        ),
        abs=1e-6,
    )
    assert np.shape(values["confusion"]) == (4, 4)


def test_class_never_predicted_has_precision_zero():
    values = scored([0, 1, 1], [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    assert values["per_class"]["disgust"]["precision"] == 0
    assert values["per_class"]["disgust"]["roc_auc"] == 1


def test_images_of_one_class_alone_have_no_roc_auc():
    values = scored([0, 0, 0], [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    assert values["accuracy"] == pytest.approx(2 / 3, abs=1e-6)
    assert [values[name] for name in ("roc_auc", "roc_auc_low", "roc_auc_high")] == [None] * 3
    assert values["average_precision"] == 1


def test_one_image_is_enough():
    values = scored([1], [[0.3, 0.7]])
    assert (values["n"], values["accuracy"], values["accuracy_low"]) == (1, 1, 1)


# Calibration


def test_ece_of_a_hand_computed_example():
    # Confidence 0.9 twice, one right: gap 0.4. Confidence 0.6 three times, all right: gap 0.4.
    # Confidence 0.7 once, wrong: gap 0.7.
    confidence = np.array([0.9, 0.9, 0.6, 0.6, 0.6, 0.7])
    right = np.array([1, 0, 1, 1, 1, 0])
    values = scored(1 - right, np.column_stack([confidence, 1 - confidence]))
    assert values["ece"] == pytest.approx((2 * 0.4 + 3 * 0.4 + 1 * 0.7) / 6, abs=1e-6)


def test_reliability_bins_are_equally_wide_and_closed_on_the_right():
    confidence = np.array([1.0, 0.8, 0.81, 0.5])
    table = metrics.reliability(np.zeros(4), np.column_stack([confidence, 1 - confidence]))
    # 0.8 is the upper edge of bin 12 of 15; bin 8 is (0.467, 0.533].
    assert table["bin"].tolist() == [8, 12, 13, 15]
    assert table["confidence"].tolist() == [0.5, 0.8, 0.81, 1.0]
    assert table["count"].sum() == 4


def test_calibrated_probabilities_have_small_ece():
    rng = np.random.default_rng(5)
    probabilities = rng.dirichlet(np.ones(4), size=5_000)
    labels = (probabilities.cumsum(axis=1) < rng.random((5_000, 1))).sum(axis=1).clip(max=3)
    assert metrics.measure(labels, probabilities, NAMES[:4])["ece"] < 0.03
    sharpened = probabilities**3 / (probabilities**3).sum(axis=1, keepdims=True)
    assert metrics.measure(labels, sharpened, NAMES[:4])["ece"] > 0.1


# Intervals

INTERVALS = ("accuracy", "macro_f1", "roc_auc")


@pytest.mark.parametrize("ties", [False, True])
def test_resampled_scores_are_scikit_learns_on_the_same_images(monkeypatch, ties):
    labels, probabilities = made_predictions(120, 4)
    if ties:
        probabilities = np.ceil(probabilities * 5)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
    predicted = probabilities.argmax(axis=1)
    weights = next(metrics._resamples(120, 9))
    for column in range(5):
        # One resample alone: both ends of its interval are its score.
        one = weights[:, [column]]
        monkeypatch.setattr(metrics, "_resamples", lambda count, seed, one=one: iter([one]))
        rows = np.repeat(np.arange(120), one[:, 0].astype(int))
        expected = (
            reference.accuracy_score(labels[rows], predicted[rows]),
            reference.f1_score(labels[rows], predicted[rows], average="macro"),
            reference.roc_auc_score(np.eye(4)[labels[rows]], probabilities[rows], average="macro"),
        )
        found = metrics.intervals(labels, probabilities, 9)
        assert tuple(found[name][0] for name in INTERVALS) == pytest.approx(expected)


def test_resample_without_a_class_follows_the_rules_of_score(monkeypatch):
    labels, probabilities = made_predictions(30, 4)
    # One image alone is happy, and it alone is taken for happy.
    labels[labels == 3] = 2
    labels[0] = 3
    probabilities[1:, 3] = 0
    probabilities[0] = np.eye(4)[3]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    weights = next(metrics._resamples(30, 9))
    lacking = weights[:, weights[0] == 0][:, :1]
    monkeypatch.setattr(metrics, "_resamples", lambda count, seed: iter([lacking]))
    found = metrics.intervals(labels, probabilities, 9)
    monkeypatch.undo()
    rows = np.repeat(np.arange(30), lacking[:, 0].astype(int))
    expected = scored(labels[rows], probabilities[rows])
    assert expected["per_class"]["happy"]["roc_auc"] is None
    for name in INTERVALS:
        assert found[name][0] == pytest.approx(expected[name], abs=1e-6)


def test_resamples_draw_every_image_equally_often():
    drawn = np.concatenate(list(metrics._resamples(40, 2)), axis=1)
    assert drawn.shape == (40, 1000)
    assert set(drawn.sum(axis=0)) == {40}
    # Poisson-like counts: mean 1, variance 1 - 1/40; five standard errors of the mean.
    assert np.abs(drawn.mean(axis=1) - 1).max() < 5 / np.sqrt(1000)
    assert drawn.var() == pytest.approx(1 - 1 / 40, rel=0.03)


@pytest.mark.parametrize("classes", [2, 4, 7])
def test_intervals_hold_the_score(classes):
    values = scored(*made_predictions(500, classes))
    for name in INTERVALS:
        assert values[f"{name}_low"] < values[name] < values[f"{name}_high"]


def test_intervals_shrink_with_the_root_of_the_images():
    few, many = (scored(*made_predictions(count, 4)) for count in (100, 1600))
    for name in INTERVALS:
        width, less = (value[f"{name}_high"] - value[f"{name}_low"] for value in (few, many))
        assert width / less == pytest.approx(4, rel=0.25), name


def test_accuracy_interval_covers_the_truth_in_19_of_20_samples(monkeypatch):
    monkeypatch.setattr(metrics, "RESAMPLES", 200)
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(200):
        right = rng.random(200) < 0.8
        found = metrics.intervals((~right).astype(int), np.tile([0.9, 0.1], (200, 1)), 1)
        low, high = found["accuracy"]
        covered += low <= 0.8 <= high
    assert 0.9 <= covered / 200 <= 0.99


def test_same_seed_gives_the_same_intervals_and_another_seed_others():
    labels, probabilities = made_predictions(300, 4)
    first, again, other = (scored(labels, probabilities, seed) for seed in (1, 1, 2))
    assert first == again
    assert without_intervals(first) == without_intervals(other)
    assert all(first[f"{name}_low"] != other[f"{name}_low"] for name in ("macro_f1", "roc_auc"))


# Two models on the same images


def made_pair(count: int, classes: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return labels and two models' probabilities, the first model the better one."""
    labels, a = made_predictions(count, classes, seed)
    rng = np.random.default_rng((seed, 1))
    b = a * np.exp(rng.normal(size=a.shape))
    return labels, a, b / b.sum(axis=1, keepdims=True)


def test_differences_are_those_of_the_two_scores():
    labels, a, b = made_pair(300, 4)
    found, one, other = metrics.paired(labels, a, b, 1), scored(labels, a), scored(labels, b)
    for name in ("accuracy", "macro_f1"):
        assert found[f"{name}_difference"] == pytest.approx(one[name] - other[name], abs=2e-6)
        assert found[f"{name}_difference"] > 0
    right = [part.argmax(axis=1) == labels for part in (a, b)]
    assert found["only_a"] == sum(x and not y for x, y in zip(*right, strict=True))
    assert found["only_b"] == sum(y and not x for x, y in zip(*right, strict=True))


def test_paired_intervals_are_those_of_a_loop_of_scikit_learn():
    labels, a, b = made_pair(80, 3)
    drawn = np.concatenate(list(metrics._resamples(80, 5)), axis=1).astype(int)[:, :60]
    differences = []
    for column in drawn.T:
        rows = np.repeat(np.arange(80), column)
        scores = [
            (
                reference.accuracy_score(labels[rows], part[rows].argmax(axis=1)),
                reference.f1_score(
                    labels[rows],
                    part[rows].argmax(axis=1),
                    labels=range(3),
                    average="macro",
                    zero_division=0,
                ),
            )
            for part in (a, b)
        ]
        differences.append(np.subtract(*scores))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "_resamples", lambda *_: iter([drawn * 1.0]))
        found = metrics.paired(labels, a, b, 5)
    ends = np.percentile(differences, [2.5, 97.5], axis=0)
    for column, name in enumerate(("accuracy", "macro_f1")):
        both = [found[f"{name}_difference_{end}"] for end in ("low", "high")]
        assert both == pytest.approx(ends[:, column].tolist(), abs=1e-6)


def test_swapping_the_models_swaps_the_signs():
    labels, a, b = made_pair(200, 4)
    there, back = metrics.paired(labels, a, b, 1), metrics.paired(labels, b, a, 1)
    assert (there["only_a"], there["only_b"]) == (back["only_b"], back["only_a"])
    assert there["mcnemar_p"] == back["mcnemar_p"]
    for name in ("accuracy_difference", "macro_f1_difference"):
        assert there[name] == -back[name]
        assert there[f"{name}_low"] == pytest.approx(-back[f"{name}_high"], abs=2e-6)
        assert there[f"{name}_high"] == pytest.approx(-back[f"{name}_low"], abs=2e-6)


@pytest.mark.parametrize(
    ("only_a", "only_b", "chance"),
    # Two-sided: twice the tail of fair coins, (1 + 8) / 2**8; one against one is certain.
    [
        (0, 0, 1),
        (1, 1, 1),
        (7, 1, 2 * (1 + 8) / 2**8),
        (1, 7, 2 * (1 + 8) / 2**8),
        (5, 0, 2 / 2**5),
    ],
)
def test_mcnemar_counts_fair_coins(only_a, only_b, chance):
    right, wrong = [0.9, 0.1], [0.2, 0.8]
    a = [right] * only_a + [wrong] * only_b + [right, wrong]
    b = [wrong] * only_a + [right] * only_b + [right, wrong]
    found = metrics.paired(np.zeros(len(a), int), np.array(a), np.array(b), 1)
    assert (found["only_a"], found["only_b"]) == (only_a, only_b)
    assert found["mcnemar_p"] == pytest.approx(chance, abs=1e-6)


def test_a_model_does_not_differ_from_itself():
    labels, a, _ = made_pair(100, 4)
    values = metrics.paired(labels, a, a, 1)
    assert values.pop("mcnemar_p") == 1
    assert set(values.values()) == {0}


def test_no_difference_is_no_negative_zero():
    # Errors that only a class's name tells apart: the sums differ in their last bit alone.
    labels = np.repeat(np.arange(3), 3)
    a, b = np.eye(3)[labels], np.eye(3)[labels]
    a[3], b[6] = np.eye(3)[2], np.eye(3)[0]
    values = [metrics.paired(labels, *pair, 1)["macro_f1_difference"] for pair in ((a, b), (b, a))]
    assert json.dumps(values) == "[0.0, 0.0]"


def test_pairing_narrows_the_interval_of_alike_models():
    labels, a, b = made_pair(500, 4)
    b = 0.9 * a + 0.1 * b
    found = metrics.paired(labels, a, b, 1)
    width = found["accuracy_difference_high"] - found["accuracy_difference_low"]
    alone = scored(labels, a)
    assert width < 0.5 * (alone["accuracy_high"] - alone["accuracy_low"])


def test_models_of_different_shape_are_no_pair():
    labels, a, b = made_pair(50, 4)
    with pytest.raises(ValueError, match=r"one row per label.*got shape \(49, 4\)"):
        metrics.paired(labels, a, b[:-1], 1)


# Faults


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ([np.nan, 0.5], "nan"),
        ([0.5, 0.6], "0.6"),
        ([-0.2, 1.2], "-0.2"),
        ([np.inf, 0.0], "inf"),
        ([0.0, 0.0], "0.0, 0.0"),
    ],
)
def test_row_that_is_no_distribution_is_named(row, text):
    with pytest.raises(ValueError, match=rf"sum to 1, got \[.*{text}.* in row 1 \(1 such rows\)"):
        scored([0, 1, 0], [[0.5, 0.5], row, [0.5, 0.5]])


@pytest.mark.parametrize(("label", "row"), [(2, 1), (-1, 1)])
def test_label_that_is_no_class_is_named(label, row):
    with pytest.raises(ValueError, match=f"codes from 0 to 1, got {label} in row {row}"):
        scored([0, label], [[0.5, 0.5], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("labels", "shape"), [([0, 1], (3, 2)), ([0, 1], (2, 3)), ([0], (1, 1)), ([], (0, 2))]
)
def test_shapes_that_disagree_are_named(labels, shape):
    classes = NAMES[: 2 if shape[1] != 1 else 1]
    with pytest.raises(ValueError, match=r"one row per label.*got shape"):
        metrics.score(np.array(labels, int), np.full(shape, 1 / shape[1]), classes, 1)


def test_scores_without_the_seen_are_those_of_the_others_alone():
    faces = made_faces(80)
    probabilities = np.random.default_rng(3).dirichlet(np.ones(4), 80)
    assert "unseen" not in metrics.score_faces(faces, probabilities, 0)
    faces.index["seen"] = np.arange(80) < 30
    values = metrics.score_faces(faces, probabilities, 0)
    others = metrics.score(faces.labels[30:], probabilities[30:], faces.classes, 0)
    assert values["unseen"] == {name: others[name] for name in values["unseen"]}
    assert values["unseen"]["n"] == 50
    assert values["n"] == 80
