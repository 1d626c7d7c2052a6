"""Charts of the audit; none shows a face."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from mien import plots
from mien.splits import SPLITS

# What is measured of each image, and how the chart calls it.
MEASURES = {
    "mean": "mean grey level",
    "std": "contrast: standard deviation of the grey levels",
    "sharpness": "sharpness: variance of the Laplacian, logarithmic",
}


def charts(
    table: pd.DataFrame,
    found: pd.DataFrame,
    reason: pd.Series,
    classes: Sequence[str],
    folder: Path,
) -> None:
    """Write the charts into `folder`.

    `classes.png`: kept images of each class and split. `findings.png`: images with each finding,
    by split. `mean.png`, `std.png`, `sharpness.png`: how these spread in each class, among the
    readable images before the policy.

    Args:
        table: of images, see mien.audit.
        found: their findings.
        reason: for which each is dropped, "" if kept.
        classes: in their order.
        folder: made if missing.
    """
    plots.save(_classes(table[reason == ""], classes), folder / "classes.png")
    plots.save(_findings(table["split"], found), folder / "findings.png")
    for measure, title in MEASURES.items():
        figure = _spreads(table[table["readable"]], measure, title, classes)
        plots.save(figure, folder / f"{measure}.png")


def _classes(kept: pd.DataFrame, classes: Sequence[str]) -> Figure:
    figure, axes = plots.axes(1.6 + 1.2 * len(classes), 4)
    sns.countplot(kept, x="label", hue="split", order=classes, hue_order=SPLITS, ax=axes)
    for bars in axes.containers:
        axes.bar_label(cast(BarContainer, bars), fontsize=7)
    axes.set(title=f"{len(kept)} images kept", xlabel="", ylabel="images")
    axes.legend(title="", loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def _findings(split: pd.Series, found: pd.DataFrame) -> Figure:
    figure, axes = plots.axes(6.4, 4)
    sums = found.groupby(split).sum().reindex(SPLITS, fill_value=0)
    left = np.zeros(found.shape[1])
    for name in SPLITS:
        axes.barh(found.columns, sums.loc[name], left=left, label=name)
        left += sums.loc[name].to_numpy()
    for place, total in enumerate(left):
        axes.text(total, place, f" {total:.0f}", va="center", fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set(title=f"Findings among {len(found)} images", xlabel="images")
    axes.legend()
    return figure


def _spreads(readable: pd.DataFrame, measure: str, title: str, classes: Sequence[str]) -> Figure:
    figure, axes = plots.axes(6.4, 1.2 + 0.6 * len(classes))
    logarithmic = measure == "sharpness"
    # Blank images have no sharpness, and zero no logarithm.
    sns.violinplot(
        readable[readable[measure] > 0] if logarithmic else readable,
        x=measure,
        y="label",
        order=classes,
        color="C0",
        alpha=0.6,
        log_scale=logarithmic,
        cut=0,
        inner="quart",
        density_norm="width",
        linewidth=0.8,
        ax=axes,
    )
    axes.set(title="Readable images, with quartiles", xlabel=title, ylabel="")
    return figure
