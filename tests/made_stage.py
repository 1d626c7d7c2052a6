"""The stage tune on tiny faces in the working folder."""

from pathlib import Path

import pytest
from conftest import made_faces
from dvc.utils.serialize import dump_yaml, load_yaml

from mien import faces, params
from mien.models.registry import OPTIONS

ROOT = Path(__file__).resolve().parents[1]

ARCH = "simple_cnn"
SMALL = {
    "model": {"arch": ARCH, "width": 0.1},
    "train": {"epochs": 3, "batch_size": 16, "warmup_epochs": 1},
    "tune": {"archs": [ARCH], "trials": 2, "epochs": 3, "fraction": 0.75},
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
    values["tune"] |= {"search": SEARCH, "model": OPTIONS | {"width": 0.1}} | tune
    dump_yaml("params.yaml", values)
    faces.save(made_faces(64), Path("data/training"))
    faces.save(made_faces(24, seed=9), Path("data/faces/validation"))


def run(*arguments: str) -> None:
    """Run the stage, its inputs made up as DVC would hash them.

    `conftest` has put the stages on the path.
    """
    import tune

    settings = params.load()
    declared = {f"tune.{key}": str(value) for key, value in settings.tune if key != "storage"}
    hashes = {
        "data/training": "1",
        "data/faces/validation": "2",
        "params.yaml": declared | {"seed": settings.seed},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIEN_TRACKING", "off")
        patch.setenv("DVC_STAGE", f"tune@{ARCH}")
        patch.setattr("sys.argv", ["tune.py", ARCH, *arguments])
        patch.setattr(tune, "stage_inputs", lambda: hashes)
        tune.main(settings)
