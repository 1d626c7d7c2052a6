"""The charts of an ensemble show how good its members are, what each adds, where they differ."""

import numpy as np
import pandas as pd

from mien.evaluation.ensemble import disagreement_chart, members_chart

MEMBERS = pd.DataFrame(
    {
        "name": ["train", "tune_compact", "tune_vgg"],
        "arch": ["two_conv", "compact", "vgg"],
        "macro_f1": [0.5, 0.7, 0.6],
        "macro_f1_low": [0.4, 0.6, 0.5],
        "macro_f1_high": [0.6, 0.8, 0.7],
        "leave_one_out": [0.01, -0.03, np.nan],
    }
)
ENSEMBLE = {
    "macro_f1": 0.75,
    "macro_f1_low": 0.65,
    "macro_f1_high": 0.85,
    "method": "weighted",
    "members": ["train", "tune_compact"],
    "best_member": "tune_compact",
    "same_as": {},
    "difference": {
        "macro_f1_difference": 0.05,
        "macro_f1_difference_low": -0.01,
        "macro_f1_difference_high": 0.11,
    },
}


def test_members_come_from_the_best_down_below_the_ensemble():
    figure = members_chart(MEMBERS, ENSEMBLE)
    scores, changes = figure.axes
    assert [label.get_text() for label in scores.get_yticklabels()] == [
        "ensemble (weighted)",
        "tune_compact, the best",
        "tune_vgg, not used",
        "train (two_conv)",
    ]
    dots = [line for line in scores.lines if line.get_marker() == "o"]
    assert [float(np.ravel(dot.get_xdata())[0]) for dot in dots] == [0.75, 0.7, 0.6, 0.5]
    # Who has no say is drawn hollow.
    assert [dot.get_markerfacecolor() == "white" for dot in dots] == [False, False, True, False]
    lines = [line.get_xdata() for line in scores.lines if line.get_marker() == "None"]
    ends = [[*line] for line in lines if line[0] != line[1]]
    assert ends == [[0.65, 0.85], [0.6, 0.8], [0.5, 0.7], [0.4, 0.6]]
    assert scores.yaxis_inverted()
    widths = [bar.get_width() for bar in changes.patches]
    np.testing.assert_array_equal(widths, [-0.03, np.nan, 0.01])
    assert "against tune_compact: +0.050 macro-F1" in figure.get_suptitle()
    assert "-0.010 to +0.110" in figure.get_suptitle()


def test_a_net_that_is_another_s_is_named_so():
    same = ENSEMBLE | {"same_as": {"tune_vgg": "train"}}
    names = [each.get_text() for each in members_chart(MEMBERS, same).axes[0].get_yticklabels()]
    assert "tune_vgg, same as train" in names


def test_each_pair_of_members_has_its_share_once():
    names = ["train", "tune_compact", "tune_vgg"]
    shares = pd.DataFrame([[0, 0.12, 0.34], [0.12, 0, 0.56], [0.34, 0.56, 0]], names, names)
    (panel,) = disagreement_chart(shares).axes
    assert [text.get_text() for text in panel.texts] == ["12", "34", "56"]
    assert [label.get_text() for label in panel.get_xticklabels()] == names[:-1]
    assert [label.get_text() for label in panel.get_yticklabels()] == names[1:]
