"""What is compared of two states."""

import json

import pytest

from mien.report.changes import compare
from mien.report.states import State


def test_independent_intervals_add_by_their_squares():
    """As for two normal scores, arm by arm, since an interval need not be even."""
    sides = [(0.5, 0.46, 0.53), (0.6, 0.57, 0.64)]
    states = [
        State(
            title,
            {
                "metrics/evaluate.json": json.dumps(
                    {"models": {"a": {"roc_auc": value, "roc_auc_low": low, "roc_auc_high": high}}}
                ).encode()
            },
        )
        for title, (value, low, high) in zip("ab", sides, strict=True)
    ]
    (found,) = (score for score in compare(*states).scores if score.name == "ROC-AUC, test")
    assert found.interval == pytest.approx((0.1 - (2 * 0.03**2) ** 0.5, 0.1 + (2 * 0.04**2) ** 0.5))
    assert found.significant
    (found,) = (score for score in compare(*states[::-1]).scores if score.name == "ROC-AUC, test")
    assert found.interval == pytest.approx(
        (-0.1 - (2 * 0.04**2) ** 0.5, -0.1 + (2 * 0.03**2) ** 0.5)
    )
