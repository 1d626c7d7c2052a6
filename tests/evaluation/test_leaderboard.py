"""The table of all models and the chart drawn from it."""

from itertools import pairwise

import pytest

from mien.evaluation.leaderboard import leaderboard, leaderboard_chart
from mien.figures import save


def figures(value: float) -> dict[str, float]:
    return {
        f"{metric}{end}": value + distance
        for metric in ("accuracy", "macro_f1", "roc_auc")
        for end, distance in (("", 0), ("_low", -0.05), ("_high", 0.05))
    }


def made(**validation: float):
    """Return a table of models; on test their order is the reverse of that on validation."""
    names = list(validation)
    scores = {name: {"arch": "vgg"} | figures(1 - validation[name]) for name in names}
    best = max(names, key=lambda name: validation[name])
    compared = {name: {"mcnemar_p": 0.25} for name in names if name != best}
    costs = {name: (1000 + place, 2000 * 2**place) for place, name in enumerate(names)}
    return leaderboard(scores, {name: figures(validation[name]) for name in names}, compared, costs)


def test_models_come_in_the_order_of_validation_and_equals_in_their_own():
    table = made(train=0.5, tune_vgg=0.8, tune_compact=0.5, ensemble=0.7)
    assert table["model"].tolist() == ["tune_vgg", "ensemble", "train", "tune_compact"]
    assert table["validation_macro_f1"].tolist() == [0.8, 0.7, 0.5, 0.5]
    assert table["test_macro_f1"].tolist() == pytest.approx([0.2, 0.3, 0.5, 0.5])
    assert table["mcnemar_p"].isna().tolist() == [True, False, False, False]


def test_intervals_stand_beside_their_figures():
    columns = made(train=0.5).columns.tolist()
    ends = ("", "_low", "_high")
    figures = ("validation_macro_f1", "test_accuracy", "test_macro_f1", "test_roc_auc")
    expected = [f"{figure}{end}" for figure in figures for end in ends]
    assert columns == ["model", "arch", *expected, "mcnemar_p", "parameters", "multiply_adds"]


def test_each_model_is_a_dot_on_its_interval_with_the_champion_marked():
    table = made(train=0.5, tune_vgg=0.8, ensemble=0.7)
    panels = leaderboard_chart(table, "tune_vgg").axes
    for panel, column in zip(panels, ("test_accuracy", "test_macro_f1"), strict=True):
        lines, dots = panel.collections
        assert dots.get_offsets()[:, 0].tolist() == pytest.approx(table[column].tolist())
        ends = [segment[:, 0].tolist() for segment in lines.get_segments()]
        expected = table[[f"{column}_low", f"{column}_high"]].to_numpy()
        assert ends == pytest.approx(expected)
        champion, *others = map(tuple, dots.get_facecolors())
        assert champion not in others
        assert len(set(others)) == 1
    labels = panels[0].get_yticklabels()
    assert [label.get_text() for label in labels] == ["tune_vgg", "ensemble (vgg)", "train (vgg)"]
    assert [label.get_fontweight() for label in labels] == ["bold", "normal", "normal"]
    assert panels[0].yaxis_inverted(), "the best stands above"


@pytest.mark.parametrize("count", [2, 24])
def test_names_do_not_overlap_however_many_models(count):
    table = made(**{f"tune_{number}": number / count for number in range(count)})
    figure = leaderboard_chart(table, "tune_1")
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    assert len(boxes) == count
    for above, below in pairwise(boxes):
        assert below.y1 < above.y0


def test_chart_is_the_same_bytes_for_the_same_table(tmp_path):
    table = made(train=0.5, ensemble=0.7)
    for name in ("one", "two"):
        save(leaderboard_chart(table, "ensemble"), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
