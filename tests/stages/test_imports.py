"""The stages of a project whose params.yaml names another backend run on that one."""

import os
import subprocess
import sys

from stage_project import ROOT

# Keras keeps the backend that it was imported with.
CODE = """
import importlib, sys
from pathlib import Path
for path in sorted(Path.cwd().glob("*.py")):
    importlib.import_module(path.stem)
    assert "keras" not in sys.modules, path.name
    print(path.stem)
"""


def test_no_stage_imports_keras_before_its_params_are_read():
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=ROOT / "stages",
        env=os.environ | {"PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {path.stem for path in (ROOT / "stages").glob("*.py")}
