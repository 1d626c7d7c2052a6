"""The tables behind the charts of a model: ROC, precision and recall, confusion, classes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve, roc_curve

# Maximum number of points of a curve.
POINTS = 200


def roc_table(
    labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]
) -> pd.DataFrame:
    """Return each class's ROC curve against the rest: `class`, `fpr`, `tpr`, 0 to 1.

    At most 200 points per class; no rows for a class with no or all images.

    Args:
        labels: int, shape (N,), true class codes.
        probabilities: float, shape (N, C).
        classes: the C names, in the order of the codes.
    """

    def curve(positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        fpr, tpr, _ = roc_curve(positive, scores)
        return fpr, tpr

    return _curves(curve, ("fpr", "tpr"), labels, probabilities, classes)


def pr_table(labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """Return each class's precision-recall curve: `class`, `recall`, `precision`, 0 to 1.

    The arguments and limits are those of `roc_table`.
    """

    def curve(positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        precision, recall, _ = precision_recall_curve(positive, scores, drop_intermediate=True)
        return recall[::-1], precision[::-1]

    return _curves(curve, ("recall", "precision"), labels, probabilities, classes)


def confusion_table(score: dict[str, Any]) -> pd.DataFrame:
    """Return the cells of the confusion matrix, row by row.

    Columns: `actual`, `predicted`, `count` and `share` (fraction of the true class, 0 to 1).

    Args:
        score: result of `metrics.score`.
    """
    counts, classes = np.array(score["confusion"]), score["classes"]
    cells = pd.DataFrame(
        {
            "actual": np.repeat(classes, len(classes)),
            "predicted": np.tile(classes, len(classes)),
            "count": counts.ravel(),
        }
    )
    totals = np.maximum(counts.sum(axis=1), 1)
    return cells.assign(share=cells["count"] / np.repeat(totals, len(classes)))


def per_class_table(score: Mapping[str, Any]) -> pd.DataFrame:
    """Return the scores of each class, see `metrics.measure`: `class`, then a column each."""
    table = pd.DataFrame(score["per_class"]).T.rename_axis("class").reset_index()
    return table.astype({"support": int})


def _curves(
    curve: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    names: tuple[str, str],
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
) -> pd.DataFrame:
    """Return the thinned `curve` of each class that has some but not all images."""
    columns: dict[str, list[Any]] = {"class": [], names[0]: [], names[1]: []}
    for code, name in enumerate(classes):
        positive = labels == code
        if 0 < positive.sum() < len(labels):
            x, y = _thinned(*curve(positive, probabilities[:, code]))
            columns["class"] += [name] * len(x)
            columns[names[0]] += x.tolist()
            columns[names[1]] += y.tolist()
    return pd.DataFrame(columns)


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return at most POINTS of the points, evenly spaced along the curve, both ends kept."""
    if len(x) <= POINTS:
        return x, y
    length = np.append(0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    rows = np.unique(np.searchsorted(length, np.linspace(0, length[-1], POINTS)))
    return x[rows], y[rows]
