"""A DVC project with this tree's code, and its stages as modules of this process."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def lay_project() -> None:
    """Make the current folder a DVC project with this tree's code and params, without data."""
    for name in ("src", "stages"):
        shutil.copytree(ROOT / name, name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, name)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], check=True)


def forget_stages() -> None:
    """Drop the stages' modules: `entry` knows whose stage it is from its import on."""
    for path in (ROOT / "stages").glob("*.py"):
        sys.modules.pop(path.stem, None)
