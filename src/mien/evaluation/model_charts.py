"""Charts of one model on test, from the tables of `evaluation.tables`, and its contact sheets."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binomtest

from mien import metrics
from mien.faces import Faces
from mien.figures import axes, colours, contact_sheet

DASHES = ("-", "--", "-.")
# Images below which a bin of the reliability diagram is faded.
FEWEST = 10


def confusion_chart(score: dict[str, Any], model: str) -> Figure:
    """Return a chart of the confusion matrix: share of each true class as colour, with counts.

    Args:
        score: result of `metrics.score`.
        model: name for the title.
    """
    counts = np.array(score["confusion"])
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    texts = [
        [f"{100 * share:.0f} %\n{count}" for share, count in zip(*row, strict=True)]
        for row in zip(shares, counts, strict=True)
    ]
    classes = score["classes"]
    side = max(4.8, 0.8 * len(classes) + 1)
    figure, panel = axes(side + 0.9, side)
    sns.heatmap(
        pd.DataFrame(100 * shares, [*_with_counts(classes, totals.ravel())], [*classes]),
        annot=np.array(texts),
        fmt="",
        cmap="Blues",
        vmin=0,
        vmax=100,
        square=True,
        linewidths=0.5,
        cbar_kws={"label": "share of the true class (%)", "shrink": 0.8},
        ax=panel,
    )
    panel.set(
        xlabel="predicted",
        ylabel="true (images)",
        title=f"Confusion matrix, {model}\naccuracy {_interval(score, 'accuracy')}",
    )
    panel.tick_params(axis="x", rotation=30 if len(classes) > 5 else 0)
    panel.tick_params(axis="y", rotation=0)
    return figure


def roc_chart(table: pd.DataFrame, score: dict[str, Any], model: str) -> Figure:
    """Return a chart of the ROC curves of `roc_table`, with the areas in the legend."""
    figure, panel = axes(7.0, 5.0)
    panel.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="chance 0.500")
    _draw(panel, table, "fpr", "tpr", score, "roc_auc")
    panel.set(
        xlabel="false positive rate (of the images of other classes)",
        ylabel="true positive rate (of the images of the class)",
        title=f"ROC curves, {model}\nmean area {_interval(score, 'roc_auc')}",
    )
    figure.legend(title="area under the curve", loc="outside right center", frameon=False)
    return figure


def pr_chart(table: pd.DataFrame, score: dict[str, Any], model: str) -> Figure:
    """Return a chart of the curves of `pr_table`, with average precisions in the legend."""
    figure, panel = axes(7.0, 5.0)
    _draw(panel, table, "recall", "precision", score, "average_precision")
    panel.set(
        xlabel="recall (share of the class that is found)",
        ylabel="precision (share of the found that is right)",
        title=f"Precision and recall, {model}\n"
        f"mean average precision {_number(score['average_precision'])}",
    )
    figure.legend(title="average precision", loc="outside right center", frameon=False)
    return figure


def reliability_chart(bins: pd.DataFrame, score: dict[str, Any], model: str) -> Figure:
    """Return a chart of the reliability diagram of `metrics.reliability` and its histogram.

    Intervals are Wilson's (JASA 22, 1927, pages 209 to 212). Bins of fewer than FEWEST images say
    little and are faded.
    """
    figure = Figure(figsize=(5.8, 6.8), layout="constrained")
    panel, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    blue = sns.color_palette("colorblind")[0]
    panel.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="perfectly calibrated")
    for few, rows in bins.groupby(bins["count"] < FEWEST):
        right = (rows["accuracy"] * rows["count"]).round().astype(int)
        ends = [
            binomtest(hits, count).proportion_ci(method="wilson")
            for hits, count in zip(right, rows["count"], strict=True)
        ]
        alpha, more = (0.3, f", fewer than {FEWEST} images") if few else (1, ", 95 % interval")
        panel.vlines(rows["confidence"], *zip(*ends, strict=True), color=blue, alpha=alpha)
        panel.plot(
            rows["confidence"],
            rows["accuracy"],
            "o",
            color=blue,
            alpha=alpha,
            label=f"mean of a bin{more}",
        )
    panel.set(
        ylabel="accuracy (0 to 1)",
        ylim=(-0.02, 1.02),
        title=f"Reliability, {model}\nexpected calibration error {score['ece']:.3f}",
    )
    figure.legend(loc="outside lower center", frameon=False)
    below.bar((bins["bin"] - 0.5) / metrics.BINS, bins["count"], 0.9 / metrics.BINS, color=blue)
    below.set(
        xlabel="confidence: largest probability (0 to 1)", ylabel="images", xlim=(-0.02, 1.02)
    )
    for part in (panel, below):
        part.grid(color="0.92")
        part.set_axisbelow(True)
    return figure


def mistakes_sheet(faces: Faces, probabilities: np.ndarray, model: str, most: int = 25) -> Figure:
    """Return a sheet of the misclassified faces with the highest confidence.

    Args:
        faces: the N faces.
        probabilities: float, shape (N, C), columns in the order of `faces.classes`.
        model: name for the title.
        most: maximum number of faces.
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != faces.labels)
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    captions = [
        f"{faces.classes[faces.labels[row]]} → {faces.classes[predicted[row]]}\n"
        f"{100 * confidence[row]:.0f} %"
        for row in shown
    ]
    title = f"{len(shown)} most confident of {len(wrong)} mistakes, {model}\ntrue → predicted"
    return contact_sheet([faces.images[row] for row in shown], captions, 5, title)


def pairs_sheet(faces: Faces, probabilities: np.ndarray, model: str) -> Figure:
    """Return a sheet of the most confident face in each cell of the confusion matrix.

    The arguments are those of `mistakes_sheet`.
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    images, captions = [], []
    for true, name in enumerate(faces.classes):
        for taken, other in enumerate(faces.classes):
            rows = np.flatnonzero((faces.labels == true) & (predicted == taken))
            if len(rows):
                row = rows[confidence[rows].argmax()]
                images.append(faces.images[row])
                text = f"{100 * confidence[row]:.0f} %, 1 of {len(rows)}"
            else:
                images.append(np.full((1, 1), 255, np.uint8))
                text = "none"
            captions.append(f"{name} → {other}\n{text}")
    title = f"Most confident face of each pair, {model}\ntrue → predicted"
    return contact_sheet(images, captions, len(faces.classes), title)


def _draw(
    panel: Axes, table: pd.DataFrame, x: str, y: str, score: dict[str, Any], metric: str
) -> None:
    """Draw one line per class, with other dashes every four classes."""
    tones = colours(score["classes"])
    for code, name in enumerate(score["classes"]):
        curve = table[table["class"] == name]
        panel.plot(
            curve[x],
            curve[y],
            linestyle=DASHES[code // 4 % len(DASHES)],
            color=tones[name],
            label=f"{name} {_number(score['per_class'][name][metric])}",
        )
    panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    panel.grid(color="0.92")


def _with_counts(names: Sequence[str], counts: np.ndarray) -> list[str]:
    return [f"{name} ({count})" for name, count in zip(names, counts, strict=True)]


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def _interval(score: dict[str, Any], metric: str) -> str:
    """Return a metric with its interval as text."""
    low, high = (_number(score[f"{metric}_{end}"]) for end in ("low", "high"))
    return f"{_number(score[metric])}, 95 % interval {low} to {high}"
