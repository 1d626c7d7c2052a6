"""A small project under Git and DVC: real scores of made-up predictions, real stages, no nets."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from diff import main
from dvc.utils.serialize import dump_yaml, load_yaml

ROOT = Path(__file__).resolve().parents[1]

PREPARE = """
from pathlib import Path
import pandas as pd
Path("data/faces/test").mkdir(parents=True)
labels = pd.Categorical.from_codes([row % 4 for row in range(240)], ["a", "b", "c|d", "<e>"])
pd.DataFrame({"label": labels}).to_parquet("data/faces/test/index.parquet")
"""

TRAIN = """
import json
from pathlib import Path
from ruamel.yaml import YAML
width = YAML(typ="safe").load(Path("params.yaml"))["model"]["width"]
Path("models/tune/small").mkdir(parents=True)
Path("models/tune/small/model").write_text(json.dumps(width))
"""

# The wider the model, the surer it is of the right class.
EVALUATE = """
import json
from pathlib import Path
import numpy as np
import pandas as pd
from mien import metrics
index = pd.read_parquet("data/faces/test/index.parquet")["label"].cat
labels, classes = index.codes.to_numpy(), [*index.categories]
width = json.loads(Path("models/tune/small/model").read_text())
Path("data/predictions").mkdir(parents=True)
scores = {}
for seed, (name, skill) in enumerate({"train": 1.5, "tune_small": width}.items()):
    logits = np.random.default_rng(seed).normal(size=(240, 4)) + skill * np.eye(4)[labels]
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.save(f"data/predictions/{name}.npy", chances)
    scores[name] = {"arch": "made", **metrics.score(labels, chances, classes, 17)}
evaluation = {"champion": "tune_small", "models": scores, "compared": {}}
Path("metrics/tune").mkdir(parents=True, exist_ok=True)
Path("metrics/evaluate.json").write_text(json.dumps(evaluation))
Path("metrics/train.json").write_text(json.dumps(scores["train"]))
Path("metrics/tune/small.json").write_text(json.dumps(scores["tune_small"]))
"""


def make(folder: Path) -> Path:
    """Return the project in `folder`, its pipeline run and committed on the branch main."""
    folder.mkdir()
    for name, script in {"prepare": PREPARE, "train": TRAIN, "evaluate": EVALUATE}.items():
        (folder / f"{name}.py").write_text(script)
    shutil.copy(ROOT / "params.yaml", folder)
    names = ("evaluate", "train", "tune/small")
    written = [{f"metrics/{name}.json": {"cache": False}} for name in names]
    stages = {
        "prepare": {
            "cmd": "python prepare.py",
            "deps": ["prepare.py"],
            "outs": ["data/faces/test"],
        },
        "train": {
            "cmd": "python train.py",
            "deps": ["data/faces/test", "train.py"],
            "params": ["model.width"],
            "outs": ["models/tune/small"],
        },
        "evaluate": {
            "cmd": "python evaluate.py",
            "deps": ["data/faces/test", "evaluate.py", "models/tune"],
            "outs": ["data/predictions"],
            "plots": written,
        },
        # It reads one file of a folder that another stage wrote.
        "card": {
            "cmd": "cp data/predictions/train.npy data/card",
            "deps": ["data/predictions/train.npy"],
            "outs": ["data/card"],
        },
    }
    dump_yaml(folder / "dvc.yaml", {"stages": stages})
    (folder / ".gitignore").write_text("/data\n/models/tune/small\n/.mien\n")
    (folder / "models/tune").mkdir(parents=True)
    (folder / "models/tune/.gitkeep").touch()
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, "dvc", "init", "-q")
    repro(folder)
    commit(folder)
    return folder


def change(folder: Path, **params: object) -> None:
    """Set params by their dotted names, written with two underscores."""
    values = load_yaml(folder / "params.yaml")
    for name, value in params.items():
        section, _, key = name.partition("__")
        values[section][key] = value
    dump_yaml(folder / "params.yaml", values)


def repro(folder: Path, *stages: str) -> None:
    run(folder, "dvc", "repro", "-q", *stages)


def commit(folder: Path) -> None:
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "state")


def diff(folder: Path, *arguments: str, refused: bool = False) -> str:
    """Return what scripts/diff.py prints, and where it refuses, with what it exits."""
    printed, said = io.StringIO(), ""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["diff.py", *arguments])
        try:
            main()
        except SystemExit as end:
            said = str(end)
    assert bool(said) == refused, said
    return printed.getvalue() + said


def run(folder: Path, *command: str) -> str:
    """Return what the command prints; it must end well."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    env["PYTHONPATH"] = str(ROOT / "src")
    for role in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{role}_NAME": "test", f"GIT_{role}_EMAIL": "test@example.org"}
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
