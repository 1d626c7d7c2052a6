"""`mien experiments` lists what DVC's own experiments changed, and their scores."""

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.cli import main as dvc
from dvc.utils.serialize import dump_yaml
from made_state import HISTORY, PARAMS, empty_database

from mien import cli, tracking
from mien.project import ModelId, read_json

# A net whose scores and size are its width.
TRAIN = """
import json
from pathlib import Path
from ruamel.yaml import YAML
model = YAML(typ="safe").load(Path("params.yaml"))["model"]
if model["arch"] == "broken":
    raise SystemExit("no such net")
width = model["width"]
Path("metrics").mkdir(exist_ok=True)
Path("models/train").mkdir(parents=True)
Path("models/train/record.json").write_text(json.dumps({"width": width}))
Path("metrics/train.json").write_text(json.dumps({"parameters": 100000 * width}))
scores = {"validation_macro_f1": width / 10, "macro_f1": width / 20}
summary = {"train": scores, "champion": {"model": "ensemble", **scores}}
Path("metrics/summary.json").write_text(json.dumps(summary))
"""
STAGE = {
    "cmd": f"{sys.executable} train.py",
    "deps": ["train.py"],
    "params": ["model"],
    "outs": ["models/train"],
    "plots": [{f"metrics/{name}.json": {"cache": False}} for name in ("summary", "train")],
}


def git(*arguments: str) -> None:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    subprocess.run(("git", *identity, *arguments), check=True, capture_output=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A project with two experiments that ran, one of them in MLflow, and a queued one."""
    folder = tmp_path_factory.mktemp("experiments") / "project"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("MLFLOW_TRACKING_URI", "MIEN_TRACKING", "DVC_EXP_NAME"):
            patch.delenv(name, raising=False)
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "test")
            patch.setenv(f"GIT_{role}_EMAIL", "test@example.org")
        Path("train.py").write_text(TRAIN)
        Path(".gitignore").write_text("/models/train\n/ml*\n")
        dump_yaml("params.yaml", {"seed": 1, "model": {"arch": "compact", "width": 3}})
        dump_yaml("dvc.yaml", {"metrics": ["metrics/summary.json"], "stages": {"train": STAGE}})
        git("init", "-q", "-b", "main")
        assert dvc(["init", "-q"]) == 0
        assert dvc(["repro", "-q"]) == 0
        git("add", "-A")
        git("commit", "-qm", "state")
        Path("mlflow.db").write_bytes(empty_database())
        for name, width in (("narrow", 1), ("wide", 8)):
            changes = ["-S", f"model.width={width}", "-S", "model.arch=a_net_of_some_name"]
            assert dvc(["exp", "run", "-q", "--name", name, *changes]) == 0
        with tracking.live(ModelId("train"), "inputs", PARAMS, folder) as run:
            run.log(HISTORY)
            run.finish(read_json(Path("models/train/record.json")), 90.0)
        # As README tells to go back.
        git("checkout", "--", ".")
        assert dvc(["checkout", "-q"]) == 0
        assert dvc(["exp", "run", "-q", "--queue", "--name", "later", "-S", "model.width=5"]) == 0
    return folder


@pytest.fixture
def project(made, monkeypatch) -> Path:
    for name in ("MLFLOW_TRACKING_URI", "MIEN_TRACKING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(made)
    return made


def test_rows_are_the_workspace_the_commit_and_experiments_from_best_to_worst(project, capsys):
    cli.main(["experiments", "--format", "json"])
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert [*rows] == ["workspace", "main", "wide", "narrow", "later"]
    assert rows["workspace"]["changed"] == rows["main"]["changed"] == {}
    assert rows["wide"] == {
        "name": "wide",
        "state": "",
        "changed": {"model.arch": "a_net_of_some_name", "model.width": 8},
        "validation_macro_f1": 0.8,
        "test_macro_f1": 0.4,
        "parameters": 800_000,
        "minutes": 1.5,
        "champion": "ensemble",
        "champion_validation_macro_f1": 0.8,
    }
    assert (rows["narrow"]["validation_macro_f1"], rows["narrow"]["minutes"]) == (0.1, None)
    assert rows["main"]["parameters"] == rows["workspace"]["parameters"] == 300_000
    assert (rows["later"]["state"], rows["later"]["changed"]) == ("queued", {"model.width": 5})
    # Its files are still those of the commit, which are no result of it.
    assert rows["later"]["validation_macro_f1"] is None


def test_a_change_in_the_workspace_is_shown_there(project, capsys):
    text = Path("params.yaml").read_text()
    try:
        Path("params.yaml").write_text(text.replace("seed: 1", "seed: 2"))
        cli.main(["experiments", "--format", "csv"])
    finally:
        Path("params.yaml").write_text(text)
    first, *rest = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (first["name"], first["changed"]) == ("workspace", "seed=2")
    assert rest[1]["changed"] == "model.arch=a_net_of_some_name, model.width=8"


@pytest.mark.parametrize("width", [60, 100, 300])
def test_the_table_fits_into_the_terminal_and_into_100_columns(project, monkeypatch, capsys, width):
    monkeypatch.setenv("COLUMNS", str(width))
    cli.main(["experiments"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= min(width, 100)
    if width >= 100:
        (wide,) = (line.split() for line in lines if line.startswith("wide"))
        arch = "model.arch=a_net_of_some_name"
        assert wide == ["wide", arch, "0.800", "0.400", "800,000", "1.5", "ensemble", "0.800"]
        assert any(line.split() == ["later", "model.width=5", "queued"] for line in lines)


def test_it_creates_no_store(project, tmp_path, monkeypatch):
    copy = shutil.copytree(project, tmp_path / "copy", ignore=shutil.ignore_patterns("ml*"))
    monkeypatch.chdir(copy)
    cli.main(["experiments"])
    assert not [*copy.glob("ml*")]


def test_an_unreachable_server_leaves_out_the_minutes_in_one_line(project, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    cli.main(["experiments", "--format", "json"])
    told = capsys.readouterr()
    assert {row["minutes"] for row in json.loads(told.out)} == {None}
    assert told.err.startswith("experiments: without minutes, as MLflow at http://127.0.0.1:9")
    assert told.err.count("\n") == 1


def test_without_experiments_or_a_project_it_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"^mien: experiments: .*DVC repository.*$"):
        cli.main(["experiments"])
    assert dvc(["init", "-q", "--no-scm"]) == 0
    with pytest.raises(SystemExit, match=r"^mien: experiments: .*Git.*$"):
        cli.main(["experiments"])
    shutil.rmtree(".dvc")
    git("init", "-q")
    assert dvc(["init", "-q"]) == 0
    with pytest.raises(SystemExit, match=r"^mien: experiments: .*Git.*$"):
        cli.main(["experiments"])
    git("commit", "-qm", "first")
    capsys.readouterr()
    cli.main(["experiments"])
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert said.startswith("no experiments from this commit; `dvc exp run")


def test_a_clone_without_the_cache_is_no_traceback(made, tmp_path, monkeypatch, capsys):
    subprocess.run(["git", "clone", "-q", str(made), str(tmp_path / "fresh")], check=True)
    monkeypatch.chdir(tmp_path / "fresh")
    cli.main(["experiments", "--format", "json"])
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == ["workspace", "main"]
    assert rows[1]["validation_macro_f1"] is not None
    assert rows[1]["minutes"] is None
