"""The stage distill on tiny faces: what its student aims at, and what is written."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import made_faces
from stage_project import change, lay_project, run_stage

from mien import faces

pytestmark = pytest.mark.usefixtures("_eagerly")


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """Return a DVC project with faces, a trained net and an ensemble of it alone."""
    folder = tmp_path_factory.mktemp("distill")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MIEN_TRACKING", "off")
        lay_project()
        faces.save(made_faces(96), Path("data/training"))
        faces.save(made_faces(48, seed=1), Path("data/faces/validation"))
        for kind in ("models", "metrics", "reports"):
            Path(kind, "tune").mkdir(parents=True)
        change("model", arch="two_conv", width=0.25)
        change("train", epochs=2)
        change("tune", archs=[])
        change("distill", archs=["two_conv"], width=0.25)
        run_stage("train")
        run_stage("ensemble")
        yield folder


def probabilities(place: str) -> np.ndarray:
    return np.load(Path("models", place, "validation.npy"))


def test_a_student_that_heeds_labels_alone_is_the_net_of_train(room):
    change("distill", share=0.0)
    run_stage("distill", "two_conv")
    np.testing.assert_allclose(probabilities("distill/two_conv"), probabilities("train"), atol=1e-4)


def test_a_student_of_the_ensemble_differs_and_says_who_taught_it(room):
    change("distill", share=1.0)
    run_stage("distill", "two_conv")
    assert np.abs(probabilities("distill/two_conv") - probabilities("train")).max() > 1e-3
    record = json.loads(Path("models/distill/two_conv/record.json").read_text())
    teacher = json.loads(Path("models/train/record.json").read_text())
    assert record["name"] == "distill_two_conv"
    assert record["teacher"] == {"members": {"train": teacher["weights_sha256"]}, "share": 1.0}
    assert json.loads(Path("metrics/distill/two_conv.json").read_text())["n"] == 48
