"""Scores by group of persons, such as gender or age: how far they lie apart."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from mien import metrics
from mien.faces import GROUP, Faces

# Images below which the score of a group is shown, but not compared.
FEWEST = 30
ENDS = ("", "_low", "_high")
UNKNOWN = "not known"


def measure(
    test: Faces, probabilities: Mapping[str, np.ndarray], seed: int
) -> dict[str, dict[str, Any]]:
    """Return each model's scores for each group, and its largest gap.

    Args:
        test: the test split; its index has a column `group:NAME` for each property.
        probabilities: of each model, float, shape (N, C), by its name.
        seed: of the bootstrap.

    Returns:
        {property: {model: {`groups`: {value: `n`, `accuracy` and `macro_f1`, both with the `_low`
        and `_high` end of their 95 % intervals}, `gap`}}}. The gap is the largest difference in
        accuracy between groups of at least FEWEST images: `difference`, `_low` and `_high` of it,
        `best` and `worst`; None with fewer than two such groups. Nothing without properties.
    """
    found: dict[str, dict[str, Any]] = {}
    for column in filter(lambda name: name.startswith(GROUP), test.index.columns):
        values = test.index[column].fillna(UNKNOWN).replace("", UNKNOWN)
        found[column.removeprefix(GROUP)] = {
            name: _by_value(test, values, predicted, seed)
            for name, predicted in probabilities.items()
        }
    return found


def _by_value(test: Faces, values: pd.Series, predicted: np.ndarray, seed: int) -> dict[str, Any]:
    groups = {}
    for value in sorted(values.unique()):
        rows = np.flatnonzero(values == value)
        score = metrics.score(test.labels[rows], predicted[rows], test.classes, seed)
        groups[str(value)] = {"n": len(rows)} | {
            f"{name}{end}": score[f"{name}{end}"]
            for name in ("accuracy", "macro_f1")
            for end in ENDS
        }
    return {"groups": groups, "gap": _gap(groups)}


def _gap(groups: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    compared = {
        value: tuple(score[f"accuracy{end}"] for end in ENDS)
        for value, score in groups.items()
        if score["n"] >= FEWEST and value != UNKNOWN
    }
    if len(compared) < 2:
        return None
    best = max(compared, key=lambda value: compared[value][0])
    worst = min(compared, key=lambda value: compared[value][0])
    low, high = metrics.independent_difference(compared[worst], compared[best])
    difference = compared[best][0] - compared[worst][0]
    ends = {"difference": difference, "difference_low": low, "difference_high": high}
    return {name: round(end, 6) for name, end in ends.items()} | {"best": best, "worst": worst}


def groups_chart(found: Mapping[str, Mapping[str, Any]], champion: str, label: str) -> Figure:
    """Return the champion's accuracy for each group with its interval, a panel a property.

    Args:
        found: what `measure` returned; not empty.
        champion: name of a model.
        label: what the title calls it.
    """
    counts = [len(found[name][champion]["groups"]) for name in found]
    figure = Figure(figsize=(7, 1.6 + 0.35 * sum(counts)), layout="constrained")
    figure.suptitle(f"Accuracy on test by group, {label}\nlines: 95 % intervals", fontsize=11)
    blue = sns.color_palette("colorblind")[0]
    panels = figure.subplots(len(found), 1, sharex=True, squeeze=False, height_ratios=counts)
    for panel, (name, models) in zip(panels[:, 0], found.items(), strict=True):
        groups = models[champion]["groups"]
        rows = range(len(groups))
        for row, score in zip(rows, groups.values(), strict=True):
            faded = 1.0 if score["n"] >= FEWEST else 0.35
            ends = score["accuracy_low"], score["accuracy_high"]
            panel.plot(ends, [row, row], color=blue, alpha=faded)
            panel.plot(score["accuracy"], row, "o", color=blue, alpha=faded)
        panel.set_yticks(rows, [f"{value} ({score['n']})" for value, score in groups.items()])
        panel.set(ylabel=name, ylim=(len(groups) - 0.5, -0.5))
        panel.grid(color="0.92")
        panel.set_axisbelow(True)
    panels[-1, 0].set_xlabel("accuracy on test, 0 to 1 (images of the group in brackets)")
    return figure
