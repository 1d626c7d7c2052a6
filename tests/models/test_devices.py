"""Two devices train as one does, to the rounding of sums, and resume to the byte."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASSES, made_faces

from mien import models, params
from mien.errors import ParamError
from mien.training.fitting import fit

HERE = Path(__file__).parent
PARAMS = params.load(HERE.parents[1] / "params.yaml")
# Batch normalisation is what tells a device's part of a batch from the whole.
SPEC = {
    "arch": "leaky_cnn",
    "width": 0.25,
    "depth": 1,
    "classes": list(CLASSES),
    "image_size": 48,
}


def compare(folder: Path, dropout: float) -> None:
    """Train on one device, on two, and on two from the first epoch's checkpoint; print each."""
    checkpoints, kept = folder / "two", folder / "kept"

    def keep(history) -> None:
        if len(history) == 1:
            shutil.copytree(checkpoints, kept)

    def train(devices: int, checkpoints: Path, **more):
        short = {"epochs": 2, "batch_size": 16, "optimizer": "sgd", "devices": devices}
        return fit(
            SPEC | {"dropout": dropout},
            made_faces(48),
            # Not the double of anything.
            made_faces(23, seed=9),
            train=PARAMS.train.model_copy(update=short),
            augment=PARAMS.augment,
            seed=1,
            checkpoints=checkpoints,
            **more,
        )

    one, two = train(1, folder / "one"), train(2, checkpoints, watch=keep)
    resumed = train(2, kept)
    histories = [each.history for each in (one, two, resumed)]
    weights = [
        np.concatenate([array.ravel() for array in each.model.get_weights()])
        for each in (one, two, resumed)
    ]
    np.savez(folder / "weights.npz", *weights)
    (folder / "histories.json").write_text(json.dumps(histories))


CHILD = """
import sys
sys.path[:0] = {tests!r}
from mien import models
models.use_backend({backend!r}, 2)
from pathlib import Path
import test_devices

# The weights lie on both.
value = models.build(test_devices.SPEC, devices=2).weights[0].value
places = value.values if {backend!r} == "tensorflow" else value.sharding.device_set
assert len(places) == 2, places
test_devices.compare(Path({folder!r}), {dropout})
"""


# TensorFlow drops other features on two devices than on one.
@pytest.mark.parametrize(("backend", "dropout"), [("tensorflow", 0.0), ("jax", 0.3)])
def test_two_devices_train_as_one_and_resume_to_the_byte(backend, dropout, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed; `pip install {backend}` adds this test")
    code = CHILD.format(
        tests=[str(HERE), str(HERE.parent)], backend=backend, folder=str(tmp_path), dropout=dropout
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    one, two, resumed = json.loads((tmp_path / "histories.json").read_text())
    assert len(one) == len(two) == 2
    for row, other in zip(one, two, strict=True):
        assert other == pytest.approx(row, abs=1e-5)
    assert resumed == two
    with np.load(tmp_path / "weights.npz") as weights:
        one, two, resumed = weights.values()
    assert np.abs(one - two).max() < 1e-5
    assert np.array_equal(resumed, two)


def test_more_devices_than_there_are_is_one_line_with_what_was_found():
    with pytest.raises(ParamError, match=r"at most 1, as tensorflow finds cpu:0, got 3; .*=3 to"):
        models.use_backend("tensorflow", 3)
