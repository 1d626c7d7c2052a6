"""The chart of what each model costs and how accurate it is."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from mien.figures import axes
from mien.project import ModelId

# How each kind of model is drawn: marker and colour.
KINDS = {
    "network": ("o", "#0072B2"),
    "student": ("^", "#009E73"),
    "ensemble": ("D", "#D55E00"),
}
# Where the name of a model may stand beside its point, in points, with its alignment.
PLACES = [
    (8 * side, 11 * step, "left" if side > 0 else "right")
    for step in (0.4, -0.4, 1.2, -1.2, 2, -2, 3, -3, 4, -4)
    for side in (1, -1)
]


def cost_chart(table: pd.DataFrame, champion: str) -> Figure:
    """Return a chart of accuracy on test with its interval against multiply-adds, logarithmic.

    Args:
        table: see `leaderboard.leaderboard`.
        champion: name of the model whose name is bold.
    """
    figure, panel = axes(8.0, 5.2)
    models = [ModelId.parse(name) for name in table["model"]]
    kinds = [
        {"ensemble": "ensemble", "distill": "student"}.get(model.stage, "network")
        for model in models
    ]
    for kind, (marker, colour) in KINDS.items():
        rows = table[[each == kind for each in kinds]]
        if len(rows):
            x = rows["multiply_adds"]
            low, high = rows["test_accuracy_low"], rows["test_accuracy_high"]
            panel.vlines(x, low, high, color=colour, alpha=0.5)
            panel.plot(x, rows["test_accuracy"], marker, color=colour, label=kind, markersize=7)
    least, most = table["multiply_adds"].min(), table["multiply_adds"].max()
    # Room for the names at both ends.
    panel.set(xscale="log", xlim=(least / 2.5, most * 2.5))
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.xaxis.set_major_formatter(EngFormatter(sep=""))
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.set(
        xlabel="multiply-adds for one face (logarithmic; M: million, G: billion)",
        ylabel="accuracy on test (0 to 1)",
        title="Accuracy and cost of each model\nlines: 95 % intervals; bold: the champion",
    )
    panel.grid(color="0.92")
    panel.set_axisbelow(True)
    if len({*kinds}) > 1:
        figure.legend(loc="outside lower center", ncols=len(KINDS), frameon=False)
    names = [
        panel.annotate(
            model.label(row.arch),
            (row.multiply_adds, row.test_accuracy),
            xytext=PLACES[0][:2],
            textcoords="offset points",
            va="center",
            fontsize=8,
            in_layout=False,
            zorder=1.5,
            arrowprops={"arrowstyle": "-", "color": "0.7", "linewidth": 0.6},
            fontweight="bold" if row.model == champion else "normal",
        )
        for model, row in zip(models, table.itertuples(), strict=True)
    ]
    _part(figure, panel, names, table)
    return figure


def _part(figure: Figure, panel: Axes, names: Sequence[Annotation], table: pd.DataFrame) -> None:
    """Place each name beside its point where it covers no other name, point or interval."""
    figure.draw_without_rendering()
    points, lows, highs = (
        panel.transData.transform(table[["multiply_adds", f"test_accuracy{end}"]])
        for end in ("", "_low", "_high")
    )
    taken = [Bbox([[x - 6, y - 6], [x + 6, y + 6]]) for x, y in points]
    taken += [
        Bbox([[x - 1, low], [x + 1, high]]) for (x, low), (_, high) in zip(lows, highs, strict=True)
    ]
    for name in names:
        for x, y, side in PLACES:
            name.set(position=(x, y), ha=side)
            box = Text.get_window_extent(name)
            inside = panel.bbox.x0 < box.x0 and box.x1 < panel.bbox.x1
            if inside and not box.count_overlaps(taken):
                break
        taken.append(box)
