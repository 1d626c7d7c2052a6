"""The ensemble's charts: scores and contributions of its members, and their disagreement."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mien.figures import axes
from mien.project import ModelId


def members_chart(table: pd.DataFrame, ensemble: Mapping[str, Any]) -> Figure:
    """Return a chart of macro-F1 with intervals, the best first, and each member's contribution.

    Args:
        table: one row per model: `name`, `arch`, `macro_f1`, `macro_f1_low`, `macro_f1_high` and
            `leave_one_out`, the ensemble's macro-F1 without the model minus with it, or NaN.
        ensemble: content of metrics/ensemble.json; models that are not in its `members` have
            hollow markers.
    """
    table = table.sort_values("macro_f1", ascending=False, kind="stable").reset_index(drop=True)
    figure = Figure(figsize=(9.0, 1.9 + 0.27 * (len(table) + 1)), layout="constrained")
    used = ensemble["members"]
    scores, changes = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    blue, orange, *_ = sns.color_palette("colorblind")
    _dot(scores, -1, ensemble, orange, True)
    scores.axvline(ensemble["macro_f1"], color=orange, linewidth=1, linestyle=":")
    for place, row in enumerate(table.to_dict("records")):
        colour = blue if row["name"] == ensemble["best_member"] else "0.45"
        _dot(scores, place, row, colour, row["name"] in used)
    changes.barh(table.index, table["leave_one_out"], height=0.6, color="0.45")
    changes.axvline(0, color="0.2", linewidth=0.8)
    names = [_name(row, ensemble) for row in table.to_dict("records")]
    scores.set_yticks(range(-1, len(table)), [f"ensemble ({ensemble['method']})", *names])
    scores.set_ylim(len(table) - 0.4, -1.6)
    scores.set(xlabel="macro-F1 on validation (0 to 1), 95 % interval", ylabel="model")
    changes.set(xlabel="change of macro-F1 without it\n(left of 0: it helps)")
    changes.tick_params(axis="y", left=False)
    changes.use_sticky_edges = False
    changes.margins(x=0.1)
    changes.locator_params(axis="x", nbins=3)
    for panel in (scores, changes):
        panel.grid(axis="x", color="0.92")
        panel.set_axisbelow(True)
    figure.suptitle(_gain(ensemble))
    return figure


def disagreement_chart(shares: pd.DataFrame) -> Figure:
    """Return a chart of the share of images on which each pair of members disagrees.

    Args:
        shares: 0 to 1, members as index and columns in the same order, at least two.
    """
    percents = 100 * shares.iloc[1:, :-1]
    count = len(percents)
    hidden = [[column > row for column in range(count)] for row in range(count)]
    side = (0.36 if count > 6 else 0.7) * count
    figure, panel = axes(max(4.8, side + 1.9), side + 2.0)
    sns.heatmap(
        percents,
        mask=pd.DataFrame(hidden, percents.index, percents.columns).to_numpy(),
        annot=True,
        fmt=".0f",
        annot_kws={"fontsize": 8 if count > 6 else 10},
        cmap="Blues",
        vmin=0,
        # In the darkest blue small differences between large shares would not be visible.
        vmax=1.25 * percents.max(axis=None),
        square=True,
        linewidths=0.5,
        cbar=False,
        ax=panel,
    )
    panel.set(xlabel="member", ylabel="member")
    panel.tick_params(axis="y", rotation=0)
    for name in panel.get_xticklabels():
        name.set(rotation=45, ha="right", rotation_mode="anchor")
    figure.suptitle("Validation images (%) that two members\ntake for different classes")
    return figure


def _dot(panel: Axes, place: float, score: Mapping[str, Any], colour: Any, filled: bool) -> None:
    """Draw the score as a dot and its interval as a line."""
    low, high = score["macro_f1_low"], score["macro_f1_high"]
    panel.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
    panel.plot(
        score["macro_f1"],
        place,
        "o",
        color=colour,
        markerfacecolor=colour if filled else "white",
        markersize=7,
    )


def _name(row: Mapping[str, Any], ensemble: Mapping[str, Any]) -> str:
    """Return the model's name with its architecture, unless the name has it, and its role."""
    name = row["name"]
    label = ModelId.parse(name).label(row["arch"])
    best = ", the best" if name == ensemble["best_member"] else ""
    earlier = ensemble["same_as"].get(name)
    unused = "" if name in ensemble["members"] else ", not used"
    return f"{label}{best}" + (f", same as {earlier}" if earlier else unused)


def _gain(ensemble: Mapping[str, Any]) -> str:
    """Return a title that compares the ensemble with its best member."""
    value, low, high = (
        f"{ensemble['difference'][f'macro_f1_difference{end}']:+.3f}"
        for end in ("", "_low", "_high")
    )
    return (
        f"Ensemble, cross-fitted, against {ensemble['best_member']}: {value} macro-F1\n"
        f"paired 95 % interval {low} to {high}"
    )
