"""`make diff` on real revisions: of clones that have Git alone, and of a project with its cache."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_project import change, commit, diff, make, repro, run

from mien import metrics


@pytest.fixture(scope="module")
def origin(tmp_path_factory) -> Path:
    """Return a project whose branch `worse` holds a model of less skill than main's."""
    folder = make(tmp_path_factory.mktemp("made") / "origin")
    predictions = folder / "data/predictions/tune_small.npy"
    shutil.copy(predictions, folder.parent / "before.npy")
    run(folder, "git", "switch", "-qc", "worse")
    change(folder, model__width=0.25)
    repro(folder)
    commit(folder)
    return folder


@pytest.fixture
def clone(origin, tmp_path) -> Path:
    """Return a clone of the branch `worse`, without data, cache and remote."""
    run(tmp_path, "git", "clone", "-q", f"file://{origin}", "clone")
    return tmp_path / "clone"


def rows(page: str) -> dict[tuple[str, str], list[str]]:
    """Return the cells of the scores' table by model and score."""
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    return {(cells[0], cells[1]): cells[2:] for cells in lines if len(cells) == 6}


def score(folder: Path, revision: str) -> dict:
    written = json.loads(run(folder, "git", "show", f"{revision}:metrics/evaluate.json"))
    return written["models"]["tune_small"]


def test_a_clone_with_git_alone_tells_what_changed(clone):
    page = diff(clone, "main", "--check", "--images", "pictures")
    before, after = score(clone, "origin/main"), score(clone, "origin/worse")
    old, new, changed, verdict = rows(page)["`tune_small`", "macro-F1, test"]
    for cell, expected in ((old, before), (new, after)):
        numbers = [f"{expected[f'macro_f1{end}']:.3f}" for end in ("", "_low", "_high")]
        assert re.findall(r"\d\.\d+", cell) == numbers
    assert changed == f"▼ {after['macro_f1'] - before['macro_f1']:+.3f}"
    # No interval of the one reaches the other's: that cannot be chance.
    assert after["macro_f1_high"] < before["macro_f1_low"]
    assert verdict.startswith("**yes**")
    assert "paired" not in verdict
    assert "Scores as before: `train`." in page
    assert "| `model.width` | `1.0` | `0.25` |" in page
    assert "Stale" not in page
    pictures = [path.name for path in (clone / "pictures").iterdir()]
    assert pictures == ["tune_small.png"]
    assert (clone / "pictures/tune_small.png").read_bytes().startswith(b"\x89PNG")


def test_with_the_cache_the_comparison_is_paired(origin):
    low, high = re.search(
        r"\((\S+) to (\S+), paired\)",
        rows(diff(origin, "main"))["`tune_small`", "accuracy, test"][3],
    ).groups()
    labels = pd.read_parquet(origin / "data/faces/test/index.parquet")["label"].cat.codes
    after = np.load(origin / "data/predictions/tune_small.npy")
    before = np.load(origin.parent / "before.npy")
    expected = metrics.paired(labels.to_numpy(), after, before, 17)
    assert low == f"{expected['accuracy_difference_low']:+.3f}"
    assert high == f"{expected['accuracy_difference_high']:+.3f}"


def test_an_unchanged_state_says_so(clone):
    page = diff(clone, "HEAD", "--check")
    assert "Scores as before: `train`, `tune_small`." in page
    assert "No param differs." in page


@pytest.mark.parametrize(
    ("file", "stage", "reason"),
    [
        ("train.py", "train", "train.py modified"),
        ("evaluate.py", "evaluate", "evaluate.py modified"),
        ("metrics/evaluate.json", "evaluate", "metrics/evaluate.json modified"),
    ],
)
def test_a_stale_stage_is_named_without_its_data(clone, file, stage, reason):
    with (clone / file).open("a") as text:
        text.write("\n")
    printed = diff(clone, "main", "--check", "--output", "page.md", refused=True)
    assert printed.splitlines() == [
        f"diff: {stage} is stale in dvc.lock ({reason}); run `make`, commit the result"
    ]
    assert f"| `{stage}` | {reason} |" in (clone / "page.md").read_text()
    assert "**Stale.**" in diff(clone, "main")


def test_a_param_or_command_makes_its_stage_stale(clone):
    change(clone, model__width=3.0)
    assert "train is stale in dvc.lock (param model.width modified)" in diff(
        clone, "main", "--check", refused=True
    )
    run(clone, "git", "checkout", "-q", "params.yaml")
    text = (clone / "dvc.yaml").read_text()
    (clone / "dvc.yaml").write_text(text.replace("python train.py", "python -O train.py"))
    assert "train is stale in dvc.lock (changed command)" in diff(
        clone, "main", "--check", refused=True
    )


def test_a_stage_that_never_ran_is_stale(clone):
    text = (clone / "dvc.yaml").read_text()
    (clone / "dvc.yaml").write_text(text.replace("  card:", "  label:"))
    printed = diff(clone, "main", "--check", refused=True)
    assert "label is stale in dvc.lock (never run)" in printed


def test_what_git_should_hold_is_missed(clone):
    (clone / "metrics/train.json").unlink()
    printed = diff(clone, "main", "--check", refused=True)
    assert "evaluate is stale in dvc.lock (metrics/train.json deleted)" in printed


def test_a_stage_that_did_not_follow_the_one_before_is_stale_in_a_clone(origin, tmp_path):
    shutil.copytree(origin, tmp_path / "project")
    script = tmp_path / "project/prepare.py"
    script.write_text(script.read_text().replace("range(240)", "range(236)"))
    repro(tmp_path / "project", "prepare")
    commit(tmp_path / "project")
    run(tmp_path, "git", "clone", "-q", f"file://{tmp_path}/project", "clone")
    printed = diff(tmp_path / "clone", "HEAD", "--check", refused=True)
    assert [line.split()[1] for line in printed.splitlines() if "stale in" in line] == [
        "train",
        "evaluate",
    ]
    assert "data/faces/test modified" in printed


def test_a_fall_beyond_the_tolerance_is_refused(clone):
    fall = score(clone, "origin/main")["macro_f1"] - score(clone, "origin/worse")["macro_f1"]
    change(clone, ci__tolerance=round(fall + 0.001, 4))
    diff(clone, "main", "--check")
    change(clone, ci__tolerance=round(fall - 0.001, 4))
    assert f"fell by {fall:.4f}, more than ci.tolerance" in diff(
        clone, "main", "--check", refused=True
    )
    # The other way it rose.
    run(clone, "git", "switch", "-q", "--discard-changes", "main")
    change(clone, ci__tolerance=0.0)
    diff(clone, "origin/worse", "--check")


def test_a_shallow_clone_says_what_to_fetch(origin, tmp_path):
    run(tmp_path, "git", "clone", "-q", "--depth=1", f"file://{origin}", "clone")
    (line,) = diff(tmp_path / "clone", "main", refused=True).splitlines()
    assert line.startswith("diff: this shallow clone does not hold main; run `git fetch")
    run(tmp_path / "clone", "sh", "-c", line.split("`")[1])
    assert "`tune_small`" in diff(tmp_path / "clone", "main")


def test_an_unknown_revision_is_one_line(clone, tmp_path):
    assert diff(clone, "nothing", refused=True) == (
        "diff: Git knows no revision nothing; `git branch --all` and `git tag` list them"
    )
    assert diff(tmp_path, "main", refused=True).startswith("diff: this folder is no Git repository")
