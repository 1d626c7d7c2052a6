"""What the page on scaling out shows: the arithmetic, the Slurm script and the Kubernetes Job."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import postgres
import pytest
import yaml
from laid import ARCH, lay
from stage_project import ROOT, change

TUNE = {
    "archs": [ARCH],
    "trials": 4,
    "epochs": 1,
    "search": {
        "model": {},
        "train": {"learning_rate": {"low": 0.0005, "high": 0.02, "log": True}},
        "augment": {},
    },
}


def page() -> str:
    return (ROOT / "docs/scaling.md").read_text()


def block(language: str) -> str:
    """Return the page's one block of code in `language`."""
    (text,) = re.findall(rf"^```{language}\n(.*?)^```", page(), re.MULTILINE | re.DOTALL)
    return text


def test_the_table_is_what_the_arithmetic_prints():
    command = [sys.executable, "-c", block("python")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.count("\n") == 12
    assert printed in page()


def test_the_job_is_one_that_kubernetes_takes():
    validate = pytest.importorskip("kubernetes_validate", reason="no schemas of Kubernetes")
    validate.validate(yaml.safe_load(block("yaml")), validate.latest_version(), strict=True)


def test_shellcheck_finds_nothing_in_the_script():
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    command = ["shellcheck", "--exclude=SC1091", "-"]
    done = subprocess.run(command, input=block("bash"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_two_tasks_of_the_array_share_one_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with postgres.server() as database:
        lay(tmp_path)
        change("train", epochs=1, warmup_epochs=0)
        change("tune", **TUNE, storage=database)
        # What the script activates.
        Path(".venv/bin").mkdir(parents=True)
        Path(".venv/bin/activate").write_text(f'PATH="{Path(sys.executable).parent}:$PATH"\n')
        script = block("bash").replace("(compact two_conv)", f"({ARCH})")
        assert f"({ARCH})" in script
        slurm = {"SLURM_SUBMIT_DIR": str(tmp_path), "MIEN_TRACKING": "off"}
        tasks = [
            subprocess.Popen(
                ["bash", "-c", script],
                env=os.environ | slurm | {"SLURM_ARRAY_TASK_ID": str(task)},
                stderr=subprocess.PIPE,
                text=True,
            )
            for task in range(2)
        ]
        said = [task.communicate(timeout=300)[1] for task in tasks]
        assert [task.returncode for task in tasks] == [0, 0], said
    ended = re.findall(r"^trial (\d)/4: (?:complete|pruned)", "\n".join(said), re.MULTILINE)
    assert sorted(ended) == ["1", "2", "3", "4"]
