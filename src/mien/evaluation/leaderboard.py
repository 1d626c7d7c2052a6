"""The leaderboard of all models: the table and its chart."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from mien.project import ModelId

# A figure and the two ends of its interval, as `metrics.score` names them.
ENDS = ("", "_low", "_high")
DRAWN = {"test_accuracy": "accuracy on test (0 to 1)", "test_macro_f1": "macro-F1 on test (0 to 1)"}


def leaderboard(
    scores: Mapping[str, Mapping[str, Any]],
    validation: Mapping[str, Mapping[str, Any]],
    compared: Mapping[str, Mapping[str, Any]],
    costs: Mapping[str, tuple[int, int]],
) -> pd.DataFrame:
    """Return one row per model, sorted by macro-F1 on validation, the best first.

    Columns: `model`, `arch`, `validation_macro_f1`, `test_accuracy`, `test_macro_f1` and
    `test_roc_auc`, these four also with `_low` and `_high`, `mcnemar_p` (on test, against the
    champion; empty for the champion), `parameters` and `multiply_adds` (for one face).

    Args:
        scores: scores of each model on test, see `metrics.score`, with its `arch`.
        validation: scores of each model on validation, at least `macro_f1` with its interval.
        compared: for each model except the champion, see `metrics.paired`.
        costs: parameters and multiply-adds of each model.
    """
    rows = [
        {"model": name, "arch": score["arch"]}
        | {f"validation_macro_f1{end}": validation[name][f"macro_f1{end}"] for end in ENDS}
        | {
            f"test_{metric}{end}": score[f"{metric}{end}"]
            for metric in ("accuracy", "macro_f1", "roc_auc")
            for end in ENDS
        }
        | {"mcnemar_p": compared[name]["mcnemar_p"] if name in compared else None}
        | dict(zip(("parameters", "multiply_adds"), costs[name], strict=True))
        for name, score in scores.items()
    ]
    table = pd.DataFrame(rows)
    return table.sort_values("validation_macro_f1", ascending=False, kind="stable")


def leaderboard_chart(table: pd.DataFrame, champion: str) -> Figure:
    """Return a chart of accuracy and macro-F1 on test with intervals, a row per model.

    Args:
        table: see `leaderboard`.
        champion: name of the model to mark.
    """
    figure = Figure(figsize=(9, 1.9 + 0.27 * len(table)), layout="constrained")
    figure.suptitle(
        "Models on the test split, from the best on validation down\n"
        "dots: scores; lines: 95 % intervals; orange, bold: the champion, chosen on validation",
        fontsize=11,
    )
    blue, orange = sns.color_palette("colorblind")[:2]
    rows = range(len(table))
    colours = [orange if name == champion else blue for name in table["model"]]
    panels = figure.subplots(1, len(DRAWN), sharey=True)
    for panel, (column, label) in zip(panels, DRAWN.items(), strict=True):
        panel.hlines(rows, table[f"{column}_low"], table[f"{column}_high"], color=colours)
        panel.scatter(table[column], rows, color=colours, zorder=3)
        panel.set(xlabel=label)
        panel.grid(color="0.92")
        panel.set_axisbelow(True)
    names = [
        ModelId.parse(name).label(arch)
        for name, arch in zip(table["model"], table["arch"], strict=True)
    ]
    ticks = panels[0].set_yticks(rows, names)
    ticks[[*table["model"]].index(champion)].label1.set_fontweight("bold")
    panels[0].set(ylabel="model", ylim=(len(table) - 0.5, -0.5))
    return figure
