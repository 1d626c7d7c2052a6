"""The stage tune on tiny faces in the working folder, for this process or one that is killed."""

import importlib
import os
import signal
import sys
from pathlib import Path

import pytest
from dvc.utils.serialize import dump_yaml, load_yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests"))

from conftest import made_faces  # noqa: E402

from mien import faces, params  # noqa: E402

ARCH = "simple_cnn"
SMALL = {
    "model": {"arch": ARCH, "width": 0.1},
    "train": {"epochs": 3, "batch_size": 16, "warmup_epochs": 1},
    "tune": {"archs": [ARCH], "trials": 3, "epochs": 3, "fraction": 0.75},
    "tensorboard": True,
}
SEARCH = {
    "model": {"dense": {"low": 8, "high": 32}},
    "train": {"learning_rate": {"low": 0.0005, "high": 0.02, "log": True}},
    "augment": {},
}


def prepare(**tune: object) -> None:
    """Write the faces and the params into the working folder."""
    values = load_yaml(ROOT / "params.yaml")
    for section, changes in SMALL.items():
        values[section] = values[section] | changes if isinstance(changes, dict) else changes
    values["tune"] |= {"search": SEARCH} | tune
    dump_yaml("params.yaml", values)
    faces.save(made_faces(64), Path("data/training"))
    faces.save(made_faces(24, seed=9), Path("data/faces/validation"))


def run(*arguments: str) -> None:
    """Run the stage, its inputs made up as DVC would hash them."""
    settings = params.load()
    declared = {f"tune.{key}": str(value) for key, value in settings.tune if key != "storage"}
    hashes = {
        "data/training": "1",
        "data/faces/validation": "2",
        "params.yaml": declared | {"seed": settings.seed},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "stages")
        patch.setenv("MIEN_TRACKING", "off")
        patch.setattr("sys.argv", ["tune.py", ARCH, *arguments])
        stage = importlib.import_module("tune")
        patch.setattr(stage, "SCRATCH", Path(".mien").resolve())
        patch.setattr(stage, "STAGE", f"tune@{ARCH}")
        patch.setattr(stage, "inputs", lambda: hashes)
        stage.main(settings)


def run_until_killed(folder: str, training: int, epoch: int) -> None:
    """Run the stage in `folder`, and die amid an epoch of the training of that number."""
    from mien.training import fitting
    from mien.training.batches import Batches

    begun = 0

    class Deadly(Batches):
        def __init__(self, *given) -> None:
            nonlocal begun
            super().__init__(*given)
            begun += self._epoch == 0

        def __getitem__(self, batch: int):
            if (begun, self._epoch, batch) == (training, epoch, 1):
                os.kill(os.getpid(), signal.SIGKILL)
            return super().__getitem__(batch)

    fitting.Batches = Deadly
    os.chdir(folder)
    run()
