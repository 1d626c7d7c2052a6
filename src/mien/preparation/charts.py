"""Charts of the audit; none shows a face."""

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from mien import figures
from mien.preparation.splits import SPLITS

# The measures of an image, and their axis labels.
MEASURES = {
    "mean": "mean grey level (0 to 255)",
    "std": "contrast: standard deviation of the grey levels (0 to 255)",
    "sharpness": "sharpness: variance of the Laplacian (grey levels squared), logarithmic",
}


def charts(
    table: pd.DataFrame, found: pd.DataFrame, reason: pd.Series, classes: Sequence[str]
) -> Iterator[tuple[str, Figure]]:
    """Yield each chart and its name.

    `classes`: kept images of each class and split. `findings`: images with each finding, by
    split. `mean`, `std`, `sharpness`: distribution in each class, over the readable images
    before the policy.

    Args:
        table: table of images, see `mien.preparation.audit`.
        found: their findings.
        reason: why each is dropped, "" if kept.
        classes: in order.
    """
    yield "classes", _classes(table[reason == ""], classes)
    yield "findings", _findings(table["split"], found)
    for measure, title in MEASURES.items():
        yield measure, _spreads(table[table["readable"]], measure, title, classes)


def _classes(kept: pd.DataFrame, classes: Sequence[str]) -> Figure:
    figure, axes = figures.axes(1.6 + 1.2 * len(classes), 4)
    sns.countplot(kept, x="label", hue="split", order=classes, hue_order=SPLITS, ax=axes)
    for bars in axes.containers:
        axes.bar_label(cast(BarContainer, bars), fontsize=7)
    axes.set(title=f"{len(kept)} images kept", xlabel="class", ylabel="images")
    axes.legend(title="split", loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def _findings(split: pd.Series, found: pd.DataFrame) -> Figure:
    figure, axes = figures.axes(6.4, 4)
    sums = found.groupby(split).sum().reindex(SPLITS, fill_value=0)
    left = np.zeros(found.shape[1])
    for name in SPLITS:
        axes.barh(found.columns, sums.loc[name], left=left, label=name)
        left += sums.loc[name].to_numpy()
    for place, total in enumerate(left):
        axes.text(total, place, f" {total:.0f}", va="center", fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set(title=f"Findings among {len(found)} images", xlabel="images", ylabel="finding")
    axes.legend(title="split", loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def _spreads(readable: pd.DataFrame, measure: str, title: str, classes: Sequence[str]) -> Figure:
    figure, axes = figures.axes(6.4, 1.2 + 0.6 * len(classes))
    logarithmic = measure == "sharpness"
    # Blank images have no sharpness, and zero no logarithm.
    sns.violinplot(
        readable[readable[measure] > 0] if logarithmic else readable,
        x=measure,
        y="label",
        order=classes,
        hue="label",
        palette=figures.colours(classes),
        saturation=1,
        legend=False,
        alpha=0.6,
        log_scale=logarithmic,
        cut=0,
        inner="quart",
        density_norm="width",
        linewidth=0.8,
        ax=axes,
    )
    axes.set(title="Readable images, with quartiles", xlabel=title, ylabel="class")
    return figure
