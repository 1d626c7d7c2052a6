"""How the champion fares on corrupted faces: its chart, and the faces."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

DRAWN = {"accuracy": "accuracy", "macro_f1": "macro-F1"}


def robustness_chart(table: pd.DataFrame, model: str) -> Figure:
    """Return accuracy and macro-F1 by severity with their intervals, a panel a corruption.

    Args:
        table: `corruption`, `severity`, `level`, and `accuracy` and `macro_f1`, each also with
            `_low` and `_high`; the first row is of the clean images.
        model: its name, for the title.
    """
    clean, spoilt = table.iloc[:1], table.iloc[1:]
    names = spoilt["corruption"].unique()
    figure = Figure(figsize=(1 + 2.1 * len(names), 3.9), layout="constrained")
    figure.suptitle(f"Corrupted test images, {model}\nlines: 95 % intervals", fontsize=11)
    colours = sns.color_palette("colorblind")
    panels = figure.subplots(1, len(names), sharey=True)
    for panel, name in zip(panels, names, strict=True):
        rows = pd.concat([clean, spoilt[spoilt["corruption"] == name]])
        for step, ((metric, label), colour) in enumerate(zip(DRAWN.items(), colours, strict=False)):
            # Side by side, so that one interval does not hide the other.
            x = rows["severity"] + 0.08 * (2 * step - 1)
            panel.vlines(x, rows[f"{metric}_low"], rows[f"{metric}_high"], color=colour)
            panel.plot(x, rows[metric], "o-", color=colour, label=label, markersize=4)
        levels = [f"{level:g}" for level in rows["level"].iloc[1:]]
        panel.set_xticks(rows["severity"], ["clean", *levels])
        panel.set(title=name, ylim=(-0.02, 1.02))
        panel.grid(color="0.92")
        panel.set_axisbelow(True)
    panels[0].legend(loc="lower left", frameon=False)
    return figure
