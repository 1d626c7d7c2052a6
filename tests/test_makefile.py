"""The Makefile and .gitignore name the outs of dvc.yaml, and nothing of the user's."""

import subprocess
from pathlib import Path

import pytest
from dvc.utils.serialize import load_yaml

ROOT = Path(__file__).parents[1]
THEIRS = ("data/my faces/1.jpg", "data/set.zip", "data/faces/notes.txt", "models/mine/a.keras")


def outs() -> set[str]:
    """Return the outs that DVC's cache holds; a matrix has a `*`."""
    found: set[str] = set()
    for stage in load_yaml(ROOT / "dvc.yaml")["stages"].values():
        paths = [out for out in stage.get("outs", []) if isinstance(out, str)]
        found |= {path.replace("${item.arch}", "*") for path in paths}
    return found


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with a file in each out, and some of the user's."""
    for path in (*(f"{out.replace('*', 'compact')}/x" for out in outs()), *THEIRS):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    for keep in ("models/tune/.gitkeep", "models/distill/.gitkeep"):
        (tmp_path / keep).write_text("")
    return tmp_path


def test_make_clean_removes_the_outs_and_nothing_else(folder):
    for name in ("src", "stages", "tests"):
        (folder / name).mkdir()
    subprocess.run(["make", "-f", ROOT / "Makefile", "clean"], cwd=folder, check=True, timeout=60)
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert left == {*THEIRS, "models/tune/.gitkeep", "models/distill/.gitkeep"}


def test_git_ignores_the_outs_and_nothing_else(folder):
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True, timeout=60)
    (folder / ".gitignore").write_text((ROOT / ".gitignore").read_text())
    told = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard", "-z"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    shown = {path for path in told.stdout.split("\0") if path}
    assert shown == {*THEIRS, ".gitignore", "models/tune/.gitkeep", "models/distill/.gitkeep"}
