"""The stage suspects on tiny faces: judged once, whatever is done about it."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import made_faces
from stage_project import change, lay_project, run_stage

from mien import faces, training

LABELS = {"arch": "two_conv", "folds": 2, "epochs": 2}


@pytest.fixture
def room(tmp_path, monkeypatch):
    """Return a DVC project with faces, whose suspects are listed."""
    monkeypatch.chdir(tmp_path)
    lay_project()
    faces.save(made_faces(48), Path("data/faces/train"))
    change("audit", labels=LABELS | {"action": "list"})
    run_stage("suspects")
    return tmp_path


def judgement() -> np.ndarray:
    return np.load("data/suspects/probabilities.npy")


def summary() -> dict:
    return json.loads(Path("metrics/suspects.json").read_text())


def test_another_action_judges_no_image_anew(room, monkeypatch):
    before, listed = judgement(), summary()

    def trained(*_, **__):
        pytest.fail("a fold was trained again")

    monkeypatch.setattr(training, "out_of_fold", trained)
    change("audit", labels=LABELS | {"action": "drop"})
    run_stage("suspects")
    np.testing.assert_array_equal(judgement(), before)
    assert summary() == listed | {"action": "drop"}


def test_longer_training_judges_anew(room):
    before = judgement()
    change("audit", labels=LABELS | {"action": "list", "epochs": 3})
    run_stage("suspects")
    assert np.abs(judgement() - before).max() > 0
