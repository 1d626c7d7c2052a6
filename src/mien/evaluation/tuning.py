"""Charts of a study: its trials in order, their params, and the importance of these."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from mien.figures import axes

# Columns of a table of trials that are not searched params.
FIXED = ("trial", "state", "value", "epochs", "reason")
METRICS = {
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "macro_f1": "macro F1",
    "roc_auc": "ROC AUC",
}
LOWER_IS_BETTER = ("log_loss",)
COLOURS = sns.color_palette("crest", as_cmap=True)
FAINT = "0.7"
MOST_TICKS = 6
ROUND = [1, 2, 5, 10]
# Height on an axis (otherwise 0 to 1) of an empty param, the architecture's default.
OWN = -0.12


def history_chart(trials: pd.DataFrame, metric: str, arch: str) -> Figure:
    """Return a chart of the trials' values in order, with the best so far.

    Args:
        trials: one row per trial: `trial` (1 is the start), `state` (complete, pruned or failed),
            `value` on validation (for a pruned trial the last report, empty for a failed one).
        metric: key of METRICS.
        arch: name of the tuned network, for the title.
    """
    figure, panel = axes(8.0, 4.5)
    complete, pruned, failed = (
        trials[trials["state"] == state] for state in ("complete", "pruned", "failed")
    )
    finished = trials["value"].where(trials["state"] == "complete")
    best = finished.cummin() if metric in LOWER_IS_BETTER else finished.cummax()
    panel.step(trials["trial"], best.ffill(), where="post", color="C0", label="best so far")
    panel.scatter(complete["trial"], complete["value"], color="C0", s=26, label="complete")
    panel.scatter(
        pruned["trial"], pruned["value"], color=FAINT, marker="v", s=26, label="pruned, at its end"
    )
    # A failed trial has no value: it is drawn on the lower edge.
    panel.scatter(
        failed["trial"],
        np.zeros(len(failed)),
        color="C3",
        marker="x",
        label="failed",
        transform=panel.get_xaxis_transform(),
        clip_on=False,
        zorder=3,
    )
    start = trials[trials["trial"] == 1]
    panel.scatter(
        start["trial"], start["value"], s=130, facecolors="none", edgecolors="C1", label="start"
    )
    if metric in LOWER_IS_BETTER and _spread_in_logarithm(trials["value"]):
        panel.set_yscale("log")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, steps=ROUND, min_n_ticks=1))
    # Space for a single trial, and for the ring around the first.
    panel.set_xlim(1 - 0.03 * len(trials) - 0.2, 1.03 * len(trials) + 0.2)
    panel.grid(alpha=0.3)
    panel.set(
        title=_title(trials, metric, arch),
        xlabel="trial (1: the start, with the params' own values)",
        ylabel=f"{METRICS[metric]} on validation",
    )
    figure.legend(loc="outside lower center", ncols=5, frameon=False)
    return figure


def parallel_chart(trials: pd.DataFrame, metric: str, arch: str) -> Figure:
    """Return parallel coordinates: a line per trial through its params to its value.

    Better trials are darker. Params that are evenly spread in their logarithm have a logarithmic
    axis; text and choices have a tick per value. An empty value, which means the architecture's
    default, is drawn below the axis.

    Args:
        trials: as for `history_chart`, and one column per searched param; at least one has a value.
        metric: key of METRICS.
        arch: name of the tuned network, for the title.
    """
    names = [name for name in trials.columns if name not in FIXED]
    figure, panel = axes(max(7.0, 2.0 + 1.15 * len(names)), 5.0)
    panel.set_title(_title(trials, metric, arch), pad=45)
    panel.set_axis_off()
    shown = trials[trials["value"].notna()].reset_index(drop=True)
    scales = {name.replace(".", ".\n"): _scale(shown[name]) for name in names}
    scales[METRICS[metric]] = _numbers(shown["value"], logarithmic=False)
    heights = np.column_stack([scale.heights for scale in scales.values()])
    shade = _lines(panel, shown, heights, metric)
    if shade is not None:
        # Of a loss the negative is drawn.
        figure.colorbar(
            shade,
            ax=panel,
            format=lambda value, _: f"{abs(value):.3g}",
            label=f"colour of a complete trial: its {METRICS[metric]}",
            fraction=0.03,
            pad=0.01,
            shrink=0.6,
        )
    for place, (name, scale) in enumerate(scales.items()):
        _axis(panel, place, name, scale)
    panel.set(xlim=(-0.5, len(names) + 0.3), ylim=(min(heights.min(), 0) - 0.04, 1.04))
    panel.legend(loc="upper right", bbox_to_anchor=(1, -0.01), ncols=4, frameon=False)
    return figure


def importances_chart(importances: pd.DataFrame, metric: str, arch: str) -> Figure:
    """Return a bar chart of the params' importances, the highest on top.

    Args:
        importances: at least one `param` and `importance`, 0 to 1, summing to one.
        metric: key of METRICS.
        arch: name of the tuned network, for the title.
    """
    rows = importances.sort_values("importance", ascending=False, kind="stable")
    figure, panel = axes(7.0, 1.4 + 0.32 * max(len(rows), 3))
    panel.set_title(f"Tuning {arch}: which params make its trials differ")
    bars = panel.barh(rows["param"], rows["importance"], color="C0")
    panel.bar_label(bars, fmt=" %.2f", fontsize=8)
    panel.invert_yaxis()
    panel.margins(x=0.1)
    panel.set(
        xlabel=f"share of the variance of {METRICS[metric]} (functional ANOVA)", ylabel="param"
    )
    return figure


@dataclass(frozen=True)
class _Scale:
    """Heights of a column's values on its axis, 0 at the lower end and 1 at the upper."""

    heights: np.ndarray
    ticks: list[tuple[float, str]]


def _scale(column: pd.Series) -> _Scale:
    values = column.dropna()
    numeric = pd.api.types.is_numeric_dtype(column)
    # Choices are repeated, draws from a range hardly ever.
    if not numeric or values.nunique() <= min(MOST_TICKS, len(values) / 2):
        scale = _choices(column)
    else:
        scale = _numbers(column, logarithmic=_spread_in_logarithm(values))
    if len(values) < len(column):
        scale.heights[column.isna()] = OWN
        scale.ticks.append((OWN, "its own"))
    return scale


def _choices(column: pd.Series) -> _Scale:
    """Return the values evenly spaced in their order, each with a tick."""
    order = sorted(column.dropna().unique())
    places = np.linspace(0, 1, len(order)) if len(order) > 1 else np.full(len(order), 0.5)
    texts = [value if isinstance(value, str) else f"{value:g}" for value in order]
    heights = column.map(dict(zip(order, places, strict=True))).to_numpy(float, copy=True)
    return _Scale(heights, list(zip(places.tolist(), texts, strict=True)))


def _numbers(column: pd.Series, logarithmic: bool) -> _Scale:
    """Return the values from minimum to maximum, with round ticks between them."""
    values = column.to_numpy(float)
    low, high = np.nanmin(values), np.nanmax(values)
    if low == high:
        return _choices(column)
    locator = LogLocator(subs=(1, 2, 5)) if logarithmic else MaxNLocator(MOST_TICKS, steps=ROUND)
    ticks = [tick for tick in locator.tick_values(low, high) if low <= tick <= high]

    def height(value: np.ndarray) -> np.ndarray:
        low_high = np.array([low, high])
        if logarithmic:
            value, low_high = np.log(value), np.log(low_high)
        return (value - low_high[0]) / (low_high[1] - low_high[0])

    places = height(np.array(ticks)).tolist()
    return _Scale(
        height(values), [(place, f"{tick:g}") for place, tick in zip(places, ticks, strict=True)]
    )


def _lines(
    panel: Axes, shown: pd.DataFrame, heights: np.ndarray, metric: str
) -> ScalarMappable | None:
    """Draw the trials, the worst first, so below the others; mark the best and the start.

    Returns:
        Which colour stands for which value; None without a complete trial.
    """
    lines = [list(enumerate(row)) for row in heights]
    goodness = shown["value"].to_numpy() * (-1 if metric in LOWER_IS_BETTER else 1)
    complete = (shown["state"] == "complete").to_numpy()
    order = [row for row in np.argsort(goodness, kind="stable") if complete[row]]
    pruned = [lines[row] for row in np.flatnonzero(~complete)]
    if pruned:
        faint = LineCollection(pruned, colors=FAINT, linewidths=0.8, alpha=0.5, label="pruned")
        panel.add_collection(faint)
    if not order:
        return None
    # Without the worst tenth, which would use most of the colour range.
    norm = Normalize(np.quantile(goodness[order], 0.1), goodness[order].max(), clip=True)
    shade = norm(goodness[order])
    colours = COLOURS(shade)
    # Many lines cover each other, so worse ones are more transparent.
    least = min(0.8, 8 / len(order))
    colours[:, 3] = least + (1 - least) * shade**2
    panel.add_collection(LineCollection([lines[row] for row in order], colors=colours))
    best = list(zip(*lines[order[-1]], strict=True))
    panel.plot(*best, "o-", color=COLOURS(1.0), linewidth=3, label="best")
    for row in shown.index[(shown["trial"] == 1) & complete]:
        panel.plot(*zip(*lines[row], strict=True), "C1s--", markerfacecolor="none", label="start")
    return ScalarMappable(norm, COLOURS)


def _axis(panel: Axes, place: int, name: str, scale: _Scale) -> None:
    """Draw the axis of a param: its ticks to the left, its name above."""
    heights = [height for height, _ in scale.ticks]
    panel.vlines(place, 0, 1, color="0.3", linewidth=0.8)
    panel.plot(np.full(len(heights), place), heights, "_", color="0.3", markersize=7)
    for height, text in scale.ticks:
        panel.annotate(
            text,
            (place, height),
            xytext=(-6, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=7,
            bbox={
                "boxstyle": "round,pad=0.1",
                "facecolor": "white",
                "edgecolor": "none",
                "alpha": 0.8,
            },
        )
    panel.text(place, 1.06, name, ha="center", va="bottom", fontsize=8)


def _spread_in_logarithm(values: pd.Series) -> bool:
    """Return whether the values span a factor of five and lie more evenly in their logarithm."""
    if not (values.min() > 0 and values.max() >= 5 * values.min()):
        return False
    return bool(abs(np.log(values).skew()) < abs(values.skew()))


def _title(trials: pd.DataFrame, metric: str, arch: str) -> str:
    """Return the network, the best value and its trial, and how many trials ended in each state."""
    complete = trials[trials["state"] == "complete"]
    counts = ", ".join(
        f"{count} {state}"
        for state in ("complete", "pruned", "failed")
        if (count := int((trials["state"] == state).sum()))
    )
    if complete.empty:
        return f"Tuning {arch}\nno trial was completed ({counts})"
    values = complete["value"]
    best = complete.loc[values.idxmin() if metric in LOWER_IS_BETTER else values.idxmax()]
    value = f"{METRICS[metric]} {best['value']:.4f}"
    return f"Tuning {arch}\nbest {value} in trial {best['trial']} ({counts})"
