"""The page on extending is followed to the letter: one new file is an architecture."""

import json
import re
import subprocess
import sys

from small_clone import dvc, environment, git, runs, with_its_cache
from stage_project import ROOT

PAGE = (ROOT / "docs/extending.md").read_text()


def test_the_file_on_the_page_is_an_architecture_and_nothing_else_has_to_be_touched(
    project, tmp_path
):
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (path,) = re.findall(r"all of `(src/\S+\.py)`:", PAGE)
    fresh = tmp_path / "fresh"
    with_its_cache(fresh, project)
    (fresh / path).write_text(code)
    for command in (["check"], ["format", "--check"]):
        linted = subprocess.run(
            [sys.executable, "-m", "ruff", *command, path], cwd=fresh, check=False
        )
        assert linted.returncode == 0

    (shown,) = re.findall(r"`mien (models \w+)`", PAGE)
    printed = subprocess.run(
        [sys.executable, "-m", "mien.cli", *shown.split()],
        cwd=fresh,
        env=environment() | {"PYTHONPATH": str(fresh / "src")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    name, parameters, *cost = printed.splitlines()[1].split(maxsplit=4)
    # Kernels, batch normalisation with four numbers a channel, and the last layer.
    counted = 9 * (16 + 16 * 32 + 32 * 64) + 4 * (16 + 32 + 64) + 65 * 7
    multiplied = 9 * (24**2 * 16 + 12**2 * 16 * 32 + 6**2 * 32 * 64) + 64 * 7
    assert (name, int(parameters.replace(",", ""))) == ("tiny", counted)
    assert cost == [f"{multiplied / 1e6:.1f}", "M", "this project"]
    assert f"\n{name}," not in (fresh / "src/mien/architectures/costs.csv").read_text()

    (train,) = re.findall(r"`dvc (exp run -S model.arch=\w+)`", PAGE)
    printed = dvc(fresh, *train.split(), "train")
    assert re.findall("Running stage '(.*)'", printed) == ["train"]
    record = json.loads((fresh / "models/train/record.json").read_text())
    assert record["spec"]["arch"] == "tiny"
    assert json.loads((fresh / "metrics/train.json").read_text())["parameters"] < counted
    assert [run.data.params["model.arch"] for run in runs(fresh, "train")] == ["tiny"]
    touched = git(fresh, "status", "--porcelain", "--", ":!params.yaml", ":!metrics", ":!reports")
    assert touched.splitlines() == [" M dvc.lock", f"?? {path}"]
