"""A DVC project with this tree's code, and its stages run in this process."""

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.utils.serialize import dump_yaml, load_yaml

from mien import params

ROOT = Path(__file__).resolve().parents[1]


def lay_project() -> None:
    """Make the current folder a DVC project with this tree's code and params, without data."""
    for name in ("src", "stages"):
        shutil.copytree(ROOT / name, name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, name)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], check=True)


def run_stage(name: str, *arguments: str) -> None:
    """Run the stage's main in this process and the current folder, as DVC runs it.

    `conftest` has put the stages on the path.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_STAGE", "@".join([name, *arguments]))
        patch.setattr(sys, "argv", [f"{name}.py", *arguments])
        importlib.import_module(name).main(params.load())


def change(section: str, **values: object) -> None:
    """Change params of a section of the project's params.yaml."""
    content = load_yaml("params.yaml")
    content[section] |= values
    dump_yaml("params.yaml", content)
