"""Clones of this tree on a small source, with their own caches, and what runs and reads them."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from conftest import CLASSES, drawn_images, encoded
from dvc.utils.serialize import dump_yaml, load_yaml
from mlflow import MlflowClient
from mlflow.entities import Run

from mien.models.registry import OPTIONS

ROOT = Path(__file__).parents[1]
SMALL = {
    ("augment", "copies"): 0,
    ("distill", "archs"): ["two_conv"],
    ("distill", "width"): 0.5,
    ("model", "arch"): "simple_cnn",
    ("model", "width"): 0.25,
    ("train", "epochs"): 3,
    ("tune", "archs"): ["two_conv"],
    ("tune", "epochs"): 1,
    ("tune", "model"): OPTIONS | {"width": 0.25},
    ("tune", "search"): {
        "model": {"dropout": {"low": 0.0, "high": 0.5}},
        "train": {"learning_rate": {"low": 0.001, "high": 0.01, "log": True}},
        "augment": {},
    },
    ("tune", "trials"): 3,
}


def environment() -> dict[str, str]:
    """Return an environment with this Python first on the path and no settings inherited."""
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DVC_", "MLFLOW_", "MIEN_", "KERAS_"))
    }
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    for role in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{role}_NAME": "test", f"GIT_{role}_EMAIL": "test@example.org"}
    return env


def run(folder: Path, *command: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def dvc(folder: Path, *arguments: str) -> str:
    """Return what a `dvc` command that must succeed prints."""
    done = run(folder, sys.executable, "-m", "dvc", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def git(folder: Path, *arguments: str) -> str:
    done = run(folder, "git", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def small_zip(path: Path) -> Path:
    """Write 160 easy faces in three splits, with one broken file and one duplicate pair."""
    images, codes = drawn_images(160)
    splits = ["train"] * 5 + ["validation", "test", "train"]
    with zipfile.ZipFile(path, "w") as archive:
        for row, (image, code) in enumerate(zip(images, codes, strict=True)):
            split = splits[row // len(CLASSES) % len(splits)]
            archive.writestr(f"faces/{split}/{CLASSES[code]}/{row}.png", encoded(image))
        archive.writestr("faces/train/happy/broken.png", b"no image")
        archive.writestr("faces/test/happy/again.png", encoded(images[0]))
    return path


def clone(folder: Path, source: Path) -> None:
    """Make `folder` a fresh clone of this tree whose pipeline runs on `source`."""
    # The working tree, not HEAD: what is tested is what lies here.
    files = git(ROOT, "ls-files", "-co", "--exclude-standard").splitlines()
    for file in filter(lambda file: (ROOT / file).is_file(), files):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    values = load_yaml(folder / "params.yaml")
    values["data"]["source"] = str(source)
    for (section, key), value in SMALL.items():
        values[section][key] = value
    dump_yaml(folder / "params.yaml", values)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "small")


def with_its_cache(folder: Path, project: Path) -> None:
    """Make `folder` a clone of a project that has run, which computes nothing anew."""
    git(folder.parent, "clone", "-q", str(project), folder.name)
    shutil.copy(project / ".dvc/config.local", folder / ".dvc")


def runs(folder: Path, stage: str) -> list[Run]:
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(experiments, f"tags.`mien.stage` = '{stage}'"))
