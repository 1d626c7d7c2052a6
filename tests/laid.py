"""Projects with the data of a cheap stage and of one that trains."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import made_faces
from dvc.utils.serialize import dump_yaml, load_yaml
from small_clone import run
from stage_project import lay_project

from mien import faces

ARCH = "two_conv"


def lay(folder: Path) -> None:
    """Make `folder` a project with the data that the stages augment and train read."""
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        lay_project()
        for place in ("data/faces/train", "data/training"):
            faces.save(made_faces(64), Path(place))
        faces.save(made_faces(24, seed=1), Path("data/faces/validation"))
        Path("data/suspects").mkdir()
        # The doctor looks whether data.source is there.
        Path("data/sample").mkdir()
        np.save("data/suspects/rows.npy", np.zeros(0, np.int64))
        values = load_yaml("params.yaml")
        values["model"] |= {"arch": ARCH, "width": 0.25}
        values["train"]["epochs"] = 2
        dump_yaml("params.yaml", values)


def repro(folder: Path, stage: str) -> subprocess.CompletedProcess:
    """Run the stage; MLflow's database, which takes seconds to make, is left out."""
    command = (sys.executable, "-m", "dvc", "repro", "--single-item", stage)
    return run(folder, "env", "MIEN_TRACKING=off", *command)
