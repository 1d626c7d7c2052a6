"""The stage suspects on tiny faces: nets are trained, and judge, only where labels are in doubt."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES, made_faces
from stage_project import change, lay_project, run_stage

from mien import faces
from mien.preparation.suspects import COLUMNS

pytestmark = pytest.mark.usefixtures("_eagerly")

LABELS = {"arch": "two_conv", "folds": 2, "epochs": 2}
COUNT = 160
# Their quadrant says another class than their label.
WRONG = np.arange(0, COUNT, 16)


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A DVC project with faces of which ten have a wrong label, the working folder."""
    monkeypatch.chdir(tmp_path)
    lay_project()
    train = made_faces(COUNT)
    codes = train.labels.copy()
    codes[WRONG] = (codes[WRONG] + 1) % len(CLASSES)
    train.index["label"] = pd.Categorical.from_codes(codes, categories=list(CLASSES))
    faces.save(train, Path("data/faces/train"))
    # A mirrored quadrant is that of another class.
    change("augment", each_epoch=False)
    return tmp_path


def written() -> tuple[pd.DataFrame, dict]:
    table = pd.read_csv("reports/suspects/suspects.csv")
    return table, json.loads(Path("metrics/suspects.json").read_text())


def test_planted_labels_are_listed_and_no_checkpoint_stays(project):
    change("audit", labels=LABELS | {"action": "list"})
    run_stage("suspects")
    table, summary = written()
    # Only what the nets are surer of than of the average image of that class counts.
    assert set(table["row"]) <= set(WRONG)
    assert len(table) >= len(WRONG) / 2
    assert set(zip(table["label"], table["suggested"], strict=True)) == {("neutral", "happy")}
    assert (summary["images"], summary["suspects"]) == (COUNT, len(table))
    assert summary["out_of_fold_accuracy"] == pytest.approx(1 - len(WRONG) / COUNT)
    assert list(Path(".mien/suspects").iterdir()) == []


def test_nothing_is_judged_that_nobody_asked_for(project):
    change("audit", labels=LABELS | {"action": "none"})
    run_stage("suspects")
    table, summary = written()
    assert (list(table.columns), len(table)) == (COLUMNS, 0)
    assert summary == {"action": "none"}
    assert not Path(".mien").exists()
