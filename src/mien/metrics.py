"""Every score of a classifier, with confidence intervals and paired tests."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
)

from mien.faces import Faces

BINS = 15
RESAMPLES = 1000
# Resamples computed at once: bounds the memory to a few hundred bytes per image.
CHUNK = 50


def score(
    labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], seed: int
) -> dict[str, Any]:
    """Return all metrics of one model on one split, ready for JSON, rounded to 6 digits.

    Args:
        labels: int, shape (N,), true class codes in [0, C).
        probabilities: float, shape (N, C), each row at least 0 and summing to one.
        classes: the C names, in the order of the codes.
        seed: seed of the bootstrap; the same seed and N draw the same images for every model.

    Returns:
        The result of `measure`, with the `_low` and `_high` ends of the intervals of `accuracy`,
        `macro_f1` and `roc_auc` (see `intervals`).

    Raises:
        ValueError: see `measure`.
    """
    values = measure(labels, probabilities, classes)
    labels, probabilities = _checked(labels, probabilities, classes)
    for name, (low, high) in intervals(labels, probabilities, seed).items():
        values |= {f"{name}_low": low, f"{name}_high": high}
    return _plain(values)


def score_faces(faces: Faces, probabilities: np.ndarray, seed: int) -> dict[str, Any]:
    """Return `score` of the faces and, if some were `seen`, of the others as `unseen`.

    `unseen` has the number of images `n`, accuracy, macro-F1 and ROC-AUC with their intervals.
    Scores on images with near-duplicates in the training set are too high.
    """
    values = score(faces.labels, probabilities, faces.classes, seed)
    unseen = ~faces.index["seen"].to_numpy()
    if not unseen.all() and unseen.any():
        honest = score(faces.labels[unseen], probabilities[unseen], faces.classes, seed)
        bounds = ("", "_low", "_high")
        values["unseen"] = {"n": honest["n"]} | {
            f"{name}{bound}": honest[f"{name}{bound}"]
            for name in ("accuracy", "macro_f1", "roc_auc")
            for bound in bounds
        }
    return values


def measure(
    labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]
) -> dict[str, Any]:
    """Return all metrics of one model on one split, without intervals, not rounded.

    The prediction is the class with the largest probability, the first of equal ones. `macro`
    means are unweighted means over the classes. A class without images has precision, recall and
    F1 0, which are included in the means; its ROC-AUC and average precision are undefined and
    excluded. So is the ROC-AUC of a class that all images have. A mean of no values is NaN.

    Args:
        labels: int, shape (N,), true class codes in [0, C).
        probabilities: float, shape (N, C), each row at least 0 and summing to one.
        classes: the C names, in the order of the codes.

    Returns:
        `classes` and `n`, the number of images; `accuracy`, `macro_f1`, `roc_auc` (one-vs-rest,
        macro); `macro_precision`, `macro_recall`, `average_precision` (macro); `log_loss`
        (nats); `brier` (Brier 1950: squared errors summed over the classes, 0 to 2, mean over
        the images); `ece` (see `reliability`); `per_class`: {class: precision, recall, f1,
        roc_auc, average_precision, support}; `confusion`: counts, row = true class, column =
        predicted.

    Raises:
        ValueError: shapes disagree, a label is not a code of `classes`, or a row of
            `probabilities` is not a distribution; the row is named.
    """
    labels, probabilities = _checked(labels, probabilities, classes)
    codes = np.arange(len(classes))
    predicted = probabilities.argmax(axis=1)
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=codes, zero_division=0
    )
    per_class = {
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "roc_auc": np.array([_roc_auc(labels == code, probabilities[:, code]) for code in codes]),
        "average_precision": np.array(
            [_average_precision(labels == code, probabilities[:, code]) for code in codes]
        ),
        "support": support,
    }
    return {
        "classes": list(classes),
        "n": len(labels),
        "accuracy": accuracy_score(labels, predicted),
        "macro_precision": precision.mean(),
        "macro_recall": recall.mean(),
        "macro_f1": f1.mean(),
        "roc_auc": _mean_of_known(per_class["roc_auc"]),
        "average_precision": _mean_of_known(per_class["average_precision"]),
        "log_loss": log_loss(labels, probabilities, labels=codes),
        "brier": brier_score_loss(labels, probabilities, labels=codes, scale_by_half=False),
        "ece": _ece(reliability(labels, probabilities)),
        "per_class": {
            name: {metric: column[code] for metric, column in per_class.items()}
            for code, name in enumerate(classes)
        },
        "confusion": confusion_matrix(labels, predicted, labels=codes),
    }


def reliability(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Return accuracy by confidence, in bins.

    The confidence is the largest probability of an image. 15 equal-width bins, closed on the
    right, as in Guo et al., On Calibration of Modern Neural Networks, ICML 2017; the ECE is
    the mean gap between accuracy and confidence over the bins, weighted by `count`.

    Args:
        labels: int, shape (N,), true class codes.
        probabilities: float, shape (N, C).

    Returns:
        One row per bin that has images: `bin` (1 to 15), `confidence` and `accuracy` (means
        in the bin, 0 to 1) and `count`.
    """
    confidence = probabilities.max(axis=1)
    table = pd.DataFrame(
        {
            "bin": np.searchsorted(np.linspace(0, 1, BINS + 1), confidence),
            "confidence": confidence,
            "accuracy": probabilities.argmax(axis=1) == labels,
        }
    )
    # Rounding can move a probability of one above the last edge.
    table["bin"] = table["bin"].clip(1, BINS)
    means = table.groupby("bin").mean()
    return means.assign(count=table.groupby("bin").size()).reset_index()


def intervals(
    labels: np.ndarray, probabilities: np.ndarray, seed: int
) -> dict[str, tuple[float, float]]:
    """Return bootstrap 95 % percentile intervals of accuracy, macro-F1 and ROC-AUC.

    1,000 resamples of the images (Efron and Tibshirani, An Introduction to the Bootstrap,
    1993, chapter 13), not stratified, because another test set would also have other class
    frequencies. A resample follows the rules of `score`: a class without images has F1 0 and no
    ROC-AUC. An interval of no values is (nan, nan).

    Args:
        labels: int, shape (N,), true class codes in [0, C).
        probabilities: float, shape (N, C).
        seed: seed of the resamples; the same seed and N give the same resamples.
    """
    # Own code: a thousand calls of scikit-learn (also through scipy.stats.bootstrap) take 20 s
    # for 5,000 images of 7 classes. All sums are of multiples of 0.5, so they are exact.
    count, classes = probabilities.shape
    cells = _cells(labels, probabilities)
    values: dict[str, list[np.ndarray]] = {"accuracy": [], "macro_f1": [], "roc_auc": []}
    for weights in _resamples(count, seed):
        confusion = _confusions(cells, weights)
        values["accuracy"].append(np.einsum("iir->r", confusion) / count)
        values["macro_f1"].append(macro_f1(confusion))
        areas = [
            _weighted_roc_auc(labels == code, probabilities[:, code], weights)
            for code in range(classes)
        ]
        values["roc_auc"].append(_mean_of_known(np.array(areas)))
    return {name: _percentiles(np.concatenate(parts)) for name, parts in values.items()}


def paired(labels: np.ndarray, a: np.ndarray, b: np.ndarray, seed: int) -> dict[str, Any]:
    """Return the differences of model `a` from model `b` on the same images, to 6 digits.

    Both are measured on the same 1,000 resamples of the images (see `intervals`), so images that
    are hard for both do not widen the intervals.

    Args:
        labels: int, shape (N,), true class codes in [0, C).
        a: float, shape (N, C), probabilities of one model.
        b: the same for the other model.
        seed: seed of the bootstrap.

    Returns:
        `accuracy_difference` and `macro_f1_difference`, a minus b, each with the `_low` and `_high`
        end of its 95 % percentile interval; `only_a` and `only_b`, the numbers of images that only
        one model classifies correctly; `mcnemar_p`, the p-value of McNemar's test (1947; exact,
        two-sided), 1 without such images.

    Raises:
        ValueError: see `measure`.
    """
    codes = [str(code) for code in range(np.shape(a)[-1])]
    labels, a = _checked(labels, a, codes)
    _, b = _checked(labels, b, codes)
    right = [part.argmax(axis=1) == labels for part in (a, b)]
    only_a, only_b = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    cells = [_cells(labels, part) for part in (a, b)]
    everything = np.ones((len(labels), 1))
    difference = _differences(cells, everything)
    drawn = [_differences(cells, weights) for weights in _resamples(len(labels), seed)]
    values: dict[str, Any] = {"only_a": only_a, "only_b": only_b, "mcnemar_p": 1.0}
    if only_a + only_b:
        values["mcnemar_p"] = binomtest(only_a, only_a + only_b).pvalue
    for row, name in enumerate(("accuracy_difference", "macro_f1_difference")):
        low, high = _percentiles(np.concatenate([part[row] for part in drawn]))
        values |= {name: difference[row][0], f"{name}_low": low, f"{name}_high": high}
    return _plain(values)


def independent_difference(
    one: tuple[float, float, float], other: tuple[float, float, float]
) -> tuple[float, float]:
    """Return the 95 % interval of `other` minus `one`, two scores of different images.

    Each end lies as far from the difference as the two intervals' arms together, by the square
    root of the sum of their squares (Zou and Donner 2008, Statistics in Medicine 27).

    Args:
        one: a score and the low and high end of its 95 % interval.
        other: the same of the other.
    """
    difference = other[0] - one[0]
    return (
        difference - math.hypot(other[0] - other[1], one[2] - one[0]),
        difference + math.hypot(other[2] - other[0], one[0] - one[1]),
    )


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Return the mean of the classes' F1, which is 0 for a class without images or predictions.

    Args:
        confusion: counts, shape (C, C, ...), true classes in rows.

    Returns:
        float, the shape of the further axes.
    """
    hits = np.einsum("ii...->i...", confusion)
    seen = confusion.sum(axis=0) + confusion.sum(axis=1)
    return (2 * hits / np.maximum(seen, 1)).mean(axis=0)


def _checked(
    labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return int64 labels and float64 probabilities whose rows sum to one exactly."""
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, np.float64)
    expected = (len(labels), len(classes))
    if len(labels) == 0 or len(classes) < 2 or probabilities.shape != expected:
        raise ValueError(
            "`probabilities` must have one row per label and one column per class, at least "
            f"1 and 2, got shape {probabilities.shape} for {expected[0]} labels and "
            f"{expected[1]} classes"
        )
    strange = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if len(strange):
        row = strange[0]
        raise ValueError(
            f"`labels` must be codes from 0 to {len(classes) - 1}, got {labels[row]} in row {row}"
        )
    totals = probabilities.sum(axis=1)
    # The tolerance allows a float16 softmax. `~` catches NaN, which compares false.
    wrong = np.flatnonzero(~((np.abs(totals - 1) <= 1e-3) & (probabilities >= 0).all(axis=1)))
    if len(wrong):
        row = wrong[0]
        raise ValueError(
            "each row of `probabilities` must be at least 0 and sum to 1, got "
            f"{probabilities[row].tolist()} in row {row} ({len(wrong)} such rows)"
        )
    return labels.astype(np.int64), probabilities / totals[:, None]


def _roc_auc(positive: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the ROC curve, NaN unless there are positives and negatives."""
    return roc_auc_score(positive, scores) if 0 < positive.sum() < len(positive) else np.nan


def _average_precision(positive: np.ndarray, scores: np.ndarray) -> float:
    """Return the average precision, NaN without positives (scikit-learn would say 0)."""
    return average_precision_score(positive, scores) if positive.any() else np.nan


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    """Return the mean over the first axis ignoring NaNs, NaN if all are."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0).sum(axis=0)
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)


def _ece(bins: pd.DataFrame) -> float:
    gaps = (bins["accuracy"] - bins["confidence"]).abs()
    return float(np.average(gaps, weights=bins["count"]))


def _cells(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return each image's cell of the confusion matrix: float64 0 or 1, shape (N, C * C)."""
    classes = probabilities.shape[1]
    return np.eye(classes**2)[labels * classes + probabilities.argmax(axis=1)]


def _confusions(cells: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the confusion matrix, (C, C, R), for each of the (N, R) weights."""
    classes = round(cells.shape[1] ** 0.5)
    return (cells.T @ weights).reshape(classes, classes, -1)


def _differences(cells: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Return the first model's accuracy and macro-F1 minus the second's, shape (2, R)."""
    first, second = (_confusions(part, weights) for part in cells)
    hits = np.einsum("iir->r", first - second)
    return np.stack([hits / len(weights), macro_f1(first) - macro_f1(second)])


def _resamples(count: int, seed: int) -> Iterator[np.ndarray]:
    """Yield how often each image is drawn: float64, shape (count, CHUNK)."""
    rng = np.random.default_rng((seed, count))
    for _ in range(RESAMPLES // CHUNK):
        cells = rng.integers(count, size=(count, CHUNK)) * CHUNK + np.arange(CHUNK)
        yield np.bincount(cells.ravel(), minlength=count * CHUNK).reshape(count, CHUNK) * 1.0


def _weighted_roc_auc(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the ROC-AUC for each column of `weights`, NaN if one kind has no weight.

    It is the share of (positive, negative) pairs in which the positive has the higher score; equal
    scores count half (Mann and Whitney 1947).

    Args:
        positive: bool, shape (N,).
        scores: float, shape (N,).
        weights: float, shape (N, R).
    """
    order = np.flatnonzero(~positive)[np.argsort(scores[~positive])]
    below = np.zeros((len(order) + 1, weights.shape[1]))
    np.cumsum(weights[order], axis=0, out=below[1:])
    fewer = np.searchsorted(scores[order], scores[positive], side="left")
    at_most = np.searchsorted(scores[order], scores[positive], side="right")
    ordered = np.einsum("ir,ir->r", weights[positive], (below[fewer] + below[at_most]) / 2)
    pairs = weights[positive].sum(axis=0) * below[-1]
    return np.divide(ordered, pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    """Return the 2.5 and 97.5 % percentiles of the known values."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def _plain(value: Any) -> Any:
    """Return `value` in JSON types: floats rounded to 6 digits, NaN as None."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        # Adding 0 turns -0.0 into 0.
        return None if np.isnan(value) else round(float(value), 6) + 0.0
    return value
