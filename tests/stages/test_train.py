"""Every architecture goes through the real stage train, for one step.

TensorFlow runs it eagerly: to trace DenseNet169 as a graph takes a minute, and how a graph
learns is what the tests of the training show.
"""

import importlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from conftest import made_faces
from dvc.utils.serialize import dump_yaml, load_yaml
from stage_project import ROOT, forget_stages, lay_project

from mien import faces, models, params

VALIDATION = 5


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """Return the stage's module, in a DVC project of its own that holds tiny splits."""
    folder = tmp_path_factory.mktemp("stage")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DVC_STAGE", "train")
        patch.setenv("MIEN_TRACKING", "off")
        patch.syspath_prepend(ROOT / "stages")
        forget_stages()
        lay_project()
        faces.save(made_faces(8), Path("data/training"))
        faces.save(made_faces(VALIDATION, seed=1), Path("data/faces/validation"))
        tf.config.run_functions_eagerly(True)
        yield importlib.import_module("train")
        tf.config.run_functions_eagerly(False)
        forget_stages()


@pytest.mark.filterwarnings("ignore:.*run_functions_eagerly:UserWarning")
@pytest.mark.parametrize("arch", models.ARCHITECTURES)
def test_architecture_passes_through_the_stage(arch, stage):
    changed = load_yaml("params.yaml")
    changed["model"]["arch"] = arch
    changed["train"] |= {"epochs": 1, "warmup_epochs": 0}
    dump_yaml("params.yaml", changed)
    stage.main(params.load())

    record = json.loads(Path("models/train/record.json").read_text())
    written = json.loads(Path("metrics/train.json").read_text())
    assert record["spec"]["arch"] == written["arch"] == arch
    assert written["epochs"] == len(pd.read_csv("reports/train/history.csv")) == 1
    assert Path("models/train/model.weights.h5").is_file()
    probabilities = np.load("models/train/validation.npy")
    assert probabilities.dtype == np.float32
    assert probabilities.shape == (VALIDATION, 4)
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
