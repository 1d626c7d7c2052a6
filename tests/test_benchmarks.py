"""The benchmarks start, their page names each, and trainings take turns."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import made_faces

from mien import faces

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"
# `turns` is what two of them share.
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "turns")


@pytest.fixture(autouse=True)
def _here(monkeypatch) -> None:
    """Work where benchmarks are started, and let them be imported."""
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(FOLDER))


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_benchmark_says_how_to_run_it_and_its_page_does_too(name):
    # Under another name, as `inference` is also a folder of tests.
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert callable(module.main)
    command = f"python benchmarks/{name}.py"
    assert command in module.__doc__
    assert command in (ROOT / "docs/benchmarks.md").read_text()


def test_a_training_learns_an_epoch_a_turn_and_ends_after_its_last(tmp_path):
    import turns

    for split in ("train", "validation"):
        faces.save(made_faces(16), tmp_path / split)
    changes = {"model.width": 0.1, "train.epochs": 2, "train.warmup_epochs": 0.0}
    training = turns.Training(changes, tmp_path)
    first, second = training.turn(), training.turn()
    assert training.took() == (first.wall + second.wall, first.cpu + second.cpu)
    with pytest.raises(SystemExit, match=r"ended after \[Epoch\(.*Epoch\("):
        training.turn()
    training.stop()


def test_changes_of_params_are_checked_like_the_params():
    import turns

    assert turns.changed({"train.epochs": 3, "augment.each_epoch": False}).train.epochs == 3
    with pytest.raises(ValueError, match=r"train\.epoch\b"):
        turns.changed({"train.epoch": 3})


def test_the_clock_tells_imports_from_work_and_keeps_the_exit_code(tmp_path):
    (tmp_path / "deep.py").write_text(
        "import time\n"
        "def busy(seconds):\n"
        "    end = time.process_time() + seconds\n"
        "    while time.process_time() < end: pass\n"
        "busy(0.3)\n"
    )
    (tmp_path / "slow.py").write_text("import deep\n")
    (tmp_path / "stage.py").write_text("import slow\nslow.deep.busy(0.6)\nraise SystemExit(3)\n")
    log = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, FOLDER / "pipeline.py", "clock", tmp_path / "stage.py"],
        env={**os.environ, "DVC_STAGE": "some", "MIEN_STAGE_CLOCK": str(log)},
        check=False,
    )
    assert done.returncode == 3
    row = json.loads(log.read_text())
    assert row["stage"] == "some"
    assert row["imports_cpu_s"] >= 0.3
    assert row["cpu_s"] - row["imports_cpu_s"] >= 0.6
