"""Robustness of the champion to corrupted faces: scores, chart, and the faces."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from mien import figures, metrics
from mien.evaluation import corruptions
from mien.evaluation.predictions import Predict
from mien.faces import Faces

DRAWN = {"accuracy": "accuracy", "macro_f1": "macro-F1"}
SCORES = tuple(product(("accuracy", "macro_f1"), ("", "_low", "_high")))


@dataclass(frozen=True)
class Robustness:
    """Measurements on corrupted test images.

    Attributes:
        rows: `corruption`, `severity`, `level`, and `accuracy` and `macro_f1`, each also with
            `_low` and `_high`; the first row is for the clean images.
        images: some faces under each corruption, uint8, shape (S, S).
        captions: their captions.
        columns: number of faces shown per corruption and severity.
    """

    rows: list[dict[str, Any]]
    images: list[np.ndarray]
    captions: list[str]
    columns: int

    def metrics(self, champion: str) -> dict[str, Any]:
        """Return the content of metrics/robustness.json."""
        corrupted = self.table[self.table["severity"] > 0]
        means = corrupted[["accuracy", "macro_f1"]].mean().round(6).add_prefix("mean_")
        # `dvc metrics show` omits lists; the means are enough for comparisons.
        return {"champion": champion, "images": self.rows, **means}

    @property
    def table(self) -> pd.DataFrame:
        """The rows."""
        return pd.DataFrame(self.rows)


def measure(predict: Predict, test: Faces, shown: np.ndarray, seed: int) -> Robustness:
    """Return the champion's scores on test images under each corruption and severity.

    Args:
        predict: prediction function of the champion.
        test: the test split.
        shown: rows of the images that are kept as pictures.
        seed: seed of the corruptions and the bootstrap.
    """
    variants: list[tuple[str, int, float | None]] = [("clean", 0, None)]
    variants += [
        (name, severity, level)
        for name, corruption in corruptions.CORRUPTIONS.items()
        for severity, level in enumerate(corruption.levels, 1)
    ]
    classes = np.array(test.classes)
    rows, images, captions = [], [], []
    for name, severity, level in variants:
        title, corrupted = name, test.images
        if severity:
            title = f"{name} {severity}"
            corrupted = corruptions.corrupt(test.images, name, severity, seed)
        probabilities = predict(corrupted, title)
        score = metrics.score(test.labels, probabilities, test.classes, seed)
        row = {"corruption": name, "severity": severity, "level": level}
        rows.append(row | {f"{metric}{end}": score[f"{metric}{end}"] for metric, end in SCORES})
        images += list(corrupted[shown])
        answers = classes[probabilities[shown].argmax(axis=1)]
        pairs = zip(classes[test.labels[shown]], answers, strict=True)
        captions += [f"{title}\n{true} → {answer}" for true, answer in pairs]
    return Robustness(rows, images, captions, len(shown))


def sheet(robustness: Robustness, model: str) -> Figure:
    """Return a sheet of the faces under each corruption, with the predicted classes."""
    title = f"Corrupted faces, {model}\ntrue → predicted"
    return figures.contact_sheet(robustness.images, robustness.captions, robustness.columns, title)


def robustness_chart(table: pd.DataFrame, model: str) -> Figure:
    """Return a chart of accuracy and macro-F1 by severity, with intervals, a panel per corruption.

    Args:
        table: `corruption`, `severity`, `level`, and `accuracy` and `macro_f1`, each also with
            `_low` and `_high`; the first row is for the clean images.
        model: name for the title.
    """
    clean, corrupted = table.iloc[:1], table.iloc[1:]
    names = corrupted["corruption"].unique()
    figure = Figure(figsize=(1 + 2.1 * len(names), 3.9), layout="constrained")
    figure.suptitle(f"Corrupted test images, {model}\nlines: 95 % intervals", fontsize=11)
    colours = sns.color_palette("colorblind")
    panels = figure.subplots(1, len(names), sharey=True)
    for panel, name in zip(panels, names, strict=True):
        rows = pd.concat([clean, corrupted[corrupted["corruption"] == name]])
        for step, ((metric, label), colour) in enumerate(zip(DRAWN.items(), colours, strict=False)):
            # Side by side, so that one interval does not hide the other.
            x = rows["severity"] + 0.08 * (2 * step - 1)
            panel.vlines(x, rows[f"{metric}_low"], rows[f"{metric}_high"], color=colour)
            panel.plot(x, rows[metric], "o-", color=colour, label=label, markersize=4)
        levels = [f"{level:g}" for level in rows["level"].iloc[1:]]
        panel.set_xticks(rows["severity"], ["clean", *levels])
        panel.set(title=name, xlabel=corruptions.CORRUPTIONS[name].unit, ylim=(-0.02, 1.02))
        panel.grid(color="0.92")
        panel.set_axisbelow(True)
    panels[0].set_ylabel("score (0 to 1)")
    panels[0].legend(loc="lower left", frameon=False)
    return figure
