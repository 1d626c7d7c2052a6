"""A picture of a model on both sides: confusion matrices, curves on test, learning curves."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mien.figures import colours
from mien.report.states import State

DASHES = ("--", "-")
# For each table: x, y, title, labels of the axes.
CURVES = {
    "roc": ("fpr", "tpr", "ROC, test", "false positive rate", "true positive rate"),
    "pr": ("recall", "precision", "precision and recall, test", "recall", "precision"),
    "learning_curves": ("epoch", "val_macro_f1", "learning", "epoch", "macro-F1, validation"),
    "reliability": ("confidence", "accuracy", "reliability, test", "confidence", "accuracy"),
}


def both_sides(model: str, before: State, after: State) -> Figure:
    """Return the model's two confusion matrices, above curves of both sides.

    The earlier side's curves are dashed. What is missing on a side is left out.
    """
    figure = Figure(figsize=(10, 13), layout="constrained")
    figure.suptitle(f"{model}: {before.title} (dashed) and {after.title}")
    panels = figure.subplots(3, 2)
    for panel, state in zip(panels[0], (before, after), strict=True):
        _confusion(panel, state.models.get(model), state.title)
    for panel, (name, (x, y, *labels)) in zip(panels[1:].flat, CURVES.items(), strict=True):
        for state, dash in zip((before, after), DASHES, strict=True):
            table = state.table(f"reports/evaluate/{name}.csv")
            _curves(panel, table[table["model"] == model], x, y, dash)
        panel.set(**dict(zip(("title", "xlabel", "ylabel"), labels, strict=True)))
        panel.grid(color="0.92")
    if panels[1, 0].lines:
        panels[1, 0].legend(fontsize=8)
    return figure


def _confusion(panel: Axes, score: Mapping[str, Any] | None, title: str) -> None:
    panel.set_title(title)
    if score is None:
        panel.set_axis_off()
        return
    counts, classes = np.array(score["confusion"]), score["classes"]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    sns.heatmap(
        pd.DataFrame(shares, classes, classes),
        annot=counts,
        fmt="d",
        cmap="Blues",
        vmin=0,
        vmax=1,
        square=True,
        cbar=False,
        ax=panel,
    )
    panel.set(xlabel="predicted", ylabel="true")
    panel.tick_params(axis="y", rotation=0)


def _curves(panel: Axes, table: pd.DataFrame, x: str, y: str, dash: str) -> None:
    """Draw one line, or one per class."""
    if "class" in table:
        tones = colours(table["class"].unique())
        for name, rows in table.groupby("class", sort=False):
            label = name if dash == "-" else None
            panel.plot(rows[x], rows[y], dash, color=tones[name], label=label)
    elif len(table):
        panel.plot(table[x], table[y], dash, color="C0")
