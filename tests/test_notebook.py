"""notebooks/colab.ipynb, its cells run in order on a small source; Colab's Drive is a folder."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from packaging.requirements import Requirement
from small_clone import SMALL, dvc, git

ROOT = Path(__file__).parents[1]
COLAB = """
class drive:
    mount = print
class output:
    serve_kernel_port_as_window = print
"""
# Notes what it is asked to install: to work that out takes minutes and a package index.
PIP = """#!/bin/bash
echo "$*" >>"{}"
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory, shared, small_source) -> Path:
    """Return the folder in which the notebook ran; the Drive is `kept` in it.

    DVC takes what another clone has computed already from the cache that the tests share.
    """
    room = tmp_path_factory.mktemp("colab")
    project, package, pip = room / "origin", room / "python/google", room / "bin/pip"
    for file in git(ROOT, "ls-files", "-co", "--exclude-standard").splitlines():
        if (ROOT / file).is_file():
            (project / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, project / file)
    git(project, "init", "-q", "-b", "main")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "origin")
    pip.parent.mkdir()
    pip.write_text(PIP.format(room / "installed"))
    pip.chmod(0o755)
    package.mkdir(parents=True)
    (package / "colab.py").write_text(COLAB)
    small = {f"{section}.{key}": value for (section, key), value in SMALL.items()}
    small |= {"tune.archs": [], "distill.archs": []}
    params = [f"{key}={value}" for key, value in small.items() if not isinstance(value, dict)]
    notebook = nbformat.read(ROOT / "notebooks/colab.ipynb", as_version=4)
    (chosen,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    chosen.source = (
        f"REPOSITORY, FACES = {str(project)!r}, {str(small_source)!r}\n"
        f"KEPT, PARAMS = {str(room / 'kept')!r}, {params!r}"
    )
    # Drive stands in for itself, and the server is not started.
    notebook.cells[-1].source = notebook.cells[-1].source.replace('["mlflow",', '["echo",')
    (room / "settings").mkdir()
    (room / "settings/config").write_text(f"[cache]\n    dir = {shared}/cache\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_GLOBAL_CONFIG_DIR", str(room / "settings"))
        path = (pip.parent, Path(sys.executable).parent, os.environ["PATH"])
        patch.setenv("PATH", os.pathsep.join(map(str, path)))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(room / "python"), str(room / "mien/src")]))
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": room}}).execute()
    return room


def test_the_notebook_runs_and_keeps_its_results_in_drive(ran):
    kept = {path.name for path in (ran / "kept").iterdir()}
    assert kept >= {"cache", "mlflow.db", "mlartifacts", "metrics", "reports", "report.html"}
    champion = json.loads((ran / "kept/metrics/summary.json").read_text())["champion"]["model"]
    assert champion in ("train", "ensemble")
    assert "<html" in (ran / "kept/report.html").read_text()


def test_it_installs_what_is_pinned_and_the_cuda_libraries_of_that_tensorflow(ran):
    pinned, itself = (ran / "installed").read_text().splitlines()
    assert itself.endswith("--no-deps --editable .")
    file, cuda = pinned.split()[-2], Requirement(pinned.split()[-1])
    text = (ran / "mien" / file).read_text()
    (version,) = re.findall(r"^tensorflow==(\S+)", text, re.MULTILINE)
    assert (cuda.name, cuda.extras) == ("tensorflow", {"and-cuda"})
    assert version in cuda.specifier


def test_a_later_session_trains_nothing_again(ran):
    git(ran, "clone", "-q", str(ran / "origin"), "later")
    later, kept = ran / "later", ran / "kept"
    shutil.copy(ran / "mien/params.yaml", later)
    for name in ("metrics", "reports"):
        shutil.copytree(kept / name, later / name, dirs_exist_ok=True)
    shutil.copy(kept / "dvc.lock", later)
    dvc(later, "remote", "add", "--local", "--default", "drive", str(kept / "cache"))
    dvc(later, "pull")
    printed = dvc(later, "repro", "card")
    assert "Running stage 'prepare'" not in printed
    assert "Running stage 'train'" not in printed
