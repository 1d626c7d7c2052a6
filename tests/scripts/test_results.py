"""scripts/results.py through the real DVC, on a project whose stages write made-up numbers."""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from dvc.utils.serialize import dump_yaml, load_yaml
from results import main

SCRIPT = Path(__file__).parents[2] / "scripts/results.py"
SCORES = ("accuracy", "macro_f1", "roc_auc")
# What every run leaves in its folder.
KEPT = {"probabilities.npz", "provenance.json", "results.csv", "settings.yaml"}
ENDS = {"": 0.0, "_low": -0.0625, "_high": 0.0625}

INGEST = """
import json, os, pathlib
with pathlib.Path(os.environ["DVC_ROOT"], ".mien/ran").open("a") as file:
    file.write("ingest ")
pathlib.Path("data").mkdir(exist_ok=True)
pathlib.Path("data/raw").write_text("all")
pathlib.Path("metrics").mkdir(exist_ok=True)
pathlib.Path("metrics/audit.json").write_text(json.dumps({"blank": 3}))
"""

EVALUATE = """
import json, os, pathlib, sys, time
scratch = pathlib.Path(os.environ["DVC_ROOT"], ".mien")
with (scratch / "ran").open("a") as file:
    file.write("evaluate ")
while (scratch / "wait").exists():
    time.sleep(0.05)
for name, content in json.loads(pathlib.Path("written.json").read_text()).items():
    pathlib.Path(name).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(name).write_text(content)

import h5py, numpy, pandas
for split, labels in {"validation": ["sad"] * 20, "test": ["sad", "happy"] * 5}.items():
    folder = pathlib.Path("data/faces", split)
    folder.mkdir(parents=True, exist_ok=True)
    index = pandas.DataFrame({"label": pandas.Categorical(labels, ["happy", "sad"])})
    index.to_parquet(folder / "index.parquet")
pathlib.Path("data/predictions").mkdir(exist_ok=True)
for place, sure in {"ensemble": 0.5, "train": 0.625, "tune/resnet": 0.75}.items():
    pathlib.Path("models", place).mkdir(parents=True, exist_ok=True)
    said = numpy.tile(numpy.float32([sure, 1 - sure]), (20, 1))
    numpy.save(f"models/{place}/validation.npy", said)
    numpy.save(f"data/predictions/{place.replace('/', '_')}.npy", said[:10])
    if place != "ensemble":
        with h5py.File(f"models/{place}/model.weights.h5", "w") as weights:
            weights["kernel"] = numpy.float32([0.5, 2])
"""


def score(value: float, count: int) -> dict:
    bounds = {f"{key}{end}": value + step for key in SCORES for end, step in ENDS.items()}
    return {**bounds, "n": count, "confusion": [[1]]}


def written() -> dict[str, str]:
    """Return the files of a pipeline with two models and their ensemble, shaped as they are."""
    cost = {"parameters": 1000, "multiply_adds": 5000}
    metrics = {
        "train": {"arch": "compact", **cost, **score(0.5, 20), "unseen": score(0.25, 5)},
        "tune/resnet": {"arch": "resnet", "parameters": 7, "multiply_adds": 9, **score(0.75, 20)},
        "ensemble": {"members": ["train", "tune_resnet"], "method": "mean", **score(0.625, 20)},
        "robustness": {"mean_accuracy": 0.5},
        "evaluate": {
            "champion": "tune_resnet",
            "models": {
                "ensemble": {"arch": "ensemble", **score(0.25, 10)},
                "train": {"arch": "compact", **score(0.375, 10)},
                "tune_resnet": {"arch": "resnet", **score(0.6875, 10)},
            },
            "compared": {"ensemble": {"mcnemar_p": 0.125}, "train": {"mcnemar_p": 0.03125}},
        },
    }
    reports = (
        "model_card.md",
        "audit/classes.png",
        "evaluate/leaderboard.png",
        "evaluate/roc.csv",
        "evaluate/tune_resnet/trials.png",
    )
    models = {f"{name}/record.json": "{}" for name in ("train", "tune/resnet")}
    models |= {"export/model.onnx": "large", "export/model_int8_weights.onnx": "small"}
    models["tune/resnet/record.json"] = '{"spec": {"arch": "resnet"}}'
    members = {"tune_resnet": {"parameters": 7}, "train": {"parameters": 5}}
    models["export/card.json"] = json.dumps({"arch": "resnet", "members": members})
    return {
        **{f"metrics/{name}.json": json.dumps(content) for name, content in metrics.items()},
        **{f"reports/{name}": name for name in reports},
        **{f"models/{name}": content for name, content in models.items()},
    }


def run(folder: Path, *command: str, code: int = 0) -> str:
    """Return what the command prints; it must end with this code."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def environment() -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
    env["MIEN_TRACKING"] = "off"
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    for role in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{role}_NAME": "test", f"GIT_{role}_EMAIL": "test@example.org"}
    return env


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    # A name that neither the shell nor DVC's overrides may take apart.
    path = tmp_path_factory.mktemp("elsewhere") / "my, faces=[1].zip"
    path.write_bytes(b"faces")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Return a committed project with its state of the sample."""
    folder = tmp_path_factory.mktemp("made")
    outs = {"ingest": "metrics/audit.json", "evaluate": "metrics/evaluate.json"}
    metrics = {name: [{path: {"cache": False}}] for name, path in outs.items()}
    kept = [name for name in written() if name.startswith("metrics/") and "evaluate" not in name]
    stages = {
        "ingest": {
            "cmd": "python ingest.py",
            "deps": ["${data.source}", "ingest.py"],
            "params": ["data.classes"],
            "outs": ["data/raw"],
            "metrics": metrics["ingest"],
        },
        "evaluate": {
            "cmd": "python evaluate.py",
            "deps": ["data/raw", "evaluate.py", "written.json"],
            "params": ["train", "tune"],
            "outs": ["data/faces", "data/predictions", "models"],
            "metrics": metrics["evaluate"] + [{name: {"cache": False}} for name in kept],
            "plots": [{"reports": {"cache": False}}],
        },
    }
    (folder / "ingest.py").write_text(INGEST)
    (folder / "evaluate.py").write_text(EVALUATE)
    (folder / "written.json").write_text(json.dumps(written()))
    (folder / "sample").write_text("drawn")
    (folder / ".gitignore").write_text("/data\n/models\n/.mien\n")
    dump_yaml(folder / "dvc.yaml", {"stages": stages})
    params = {
        "data": {"source": "sample", "classes": []},
        "train": {"epochs": 1, "rate": 0.1},
        "tune": {"trials": 2},
    }
    dump_yaml(folder / "params.yaml", params)
    (folder / ".mien").mkdir()
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, sys.executable, "-m", "dvc", "init", "-q")
    run(folder, sys.executable, "-m", "dvc", "repro", "-q")
    settings = {"data.classes": ["happy", "très sad"], "train": {"rate": 1e-05}}
    (folder / "results/real").mkdir(parents=True)
    dump_yaml(folder / "results/real/settings.yaml", settings)
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "sample")
    (folder / ".mien/ran").unlink()
    return folder


@pytest.fixture
def project(made, tmp_path, monkeypatch) -> Path:
    """Enter a copy of the project for one test."""
    monkeypatch.chdir(shutil.copytree(made, tmp_path / "project"))
    return Path.cwd()


@pytest.fixture(scope="module")
def resumed(made, source, tmp_path_factory) -> Path:
    """Return a project whose run was killed amid the last stage, begun again, and kept."""
    project = shutil.copytree(made, tmp_path_factory.mktemp("resumed") / "project")
    (project / ".mien/wait").touch()
    process = subprocess.Popen(
        [sys.executable, SCRIPT, "real", source],
        cwd=project,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    ran = project / ".mien/ran"
    try:
        while not (ran.exists() and "evaluate" in ran.read_text()):
            assert process.poll() is None, "the pipeline ended before it could be killed"
            time.sleep(0.05)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(project)
            assert "real is running already" in refused("real", str(source))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert len(temporary(project)) == 1
    (project / ".mien/wait").unlink()
    results(project, "real", str(source), "--keep")
    return project


def results(project: Path, *arguments: str, code: int = 0) -> str:
    return run(project, sys.executable, str(SCRIPT), *arguments, code=code)


def refused(*arguments: str) -> str:
    """Return the line with which the script ends in this process and the current folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["results.py", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    return str(ended.value.code)


def temporary(project: Path) -> list[Path]:
    return list(project.glob(".dvc/tmp/exps/standalone/tmp*"))


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_killed_run_goes_on_and_changes_nothing_but_its_results(resumed):
    assert (resumed / ".mien/ran").read_text() == "ingest evaluate evaluate "
    assert not temporary(resumed)
    assert "/results-real" in run(resumed, "git", "for-each-ref", "refs/exps")
    assert run(resumed, "git", "for-each-ref", "refs/stash") == ""
    changed = run(resumed, "git", "status", "--porcelain", "--untracked-files=all").splitlines()
    assert changed
    assert all(line.startswith("?? results/real/") for line in changed)
    assert load_yaml(resumed / "params.yaml")["data"]["source"] == "sample"


def test_the_results_are_those_of_the_pipeline(resumed, source):
    folder = resumed / "results/real"
    assert files(folder) == KEPT
    with (folder / "results.csv").open(newline="") as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["tune_resnet", "ensemble", "train"]
    best, together = rows["tune_resnet"], rows["ensemble"]
    assert (best["arch"], best["validation_n"], best["test_n"]) == ("resnet", "20", "10")
    assert [best[f"validation_macro_f1{end}"] for end in ENDS] == ["0.75", "0.6875", "0.8125"]
    assert [best[f"test_roc_auc{end}"] for end in ENDS] == ["0.6875", "0.625", "0.75"]
    assert [rows[name]["mcnemar_p"] for name in rows] == ["", "0.125", "0.03125"]
    assert [rows["train"][f"validation_unseen_{key}"] for key in ("accuracy", "n")] == ["0.25", "5"]
    assert [best[f"validation_unseen_{key}"] for key in ("accuracy", "n")] == ["0.75", "20"]
    assert (together["parameters"], together["multiply_adds"]) == ("1007", "5009")

    said = np.load(folder / "probabilities.npz")
    assert list(said["classes"]) == ["happy", "sad"]
    assert list(said["test"]) == [1, 0] * 5
    assert len(said["validation"]) == len(said["train_validation"]) == 20
    assert said["tune_resnet_test"].dtype == np.float16
    assert said["tune_resnet_test"].tolist() == [[0.75, 0.25]] * 10

    text = (folder / "provenance.json").read_text()
    assert str(source.parent) not in text
    assert os.uname().nodename not in text
    told = json.loads(text)
    assert told["commit"] == run(resumed, "git", "rev-parse", "HEAD").strip()
    assert told["source"]["sha256"] == hashlib.sha256(b"faces").hexdigest()
    assert told["params"]["data"] == {"classes": ["happy", "très sad"]}
    assert told["params"]["train"] == {"epochs": 1, "rate": 1e-05}


@pytest.mark.parametrize(
    ("name", "place", "said"),
    [
        ("", "sample", "expected params in results/settings.yaml"),
        ("absent", "sample", "expected params in results/absent/settings.yaml"),
        ("real", "", "SOURCE must be a file or folder of faces, got ''"),
        ("real", "/no/such.zip", "SOURCE must be a file or folder of faces, got '/no/such.zip'"),
    ],
)
def test_a_mistake_is_one_line(made, monkeypatch, name, place, said):
    monkeypatch.chdir(made)
    line = refused(name, place)
    assert line.startswith(f"results: {said}")
    assert "\n" not in line


def test_changes_that_no_commit_holds_are_refused(project, source):
    (project / "evaluate.py").write_text("# changed")
    assert "commit your changes first" in refused("real", str(source))


def test_a_failing_pipeline_writes_nothing(project, source):
    (project / "results/real/settings.yaml").write_text("train.nothing: 3\n")
    assert "run the same command again" in results(project, "real", str(source), code=1)
    assert run(project, "git", "for-each-ref", "refs/exps") == ""
    assert not temporary(project)
    assert not (project / "results/real/results.csv").exists()


def test_a_shipped_model_comes_from_the_cache_with_its_card_and_charts(resumed, source, tmp_path):
    project = shutil.copytree(resumed, tmp_path / "project")
    shipped = project / "src/mien/pretrained"
    shipped.mkdir(parents=True)
    (shipped / "other.onnx").write_text("as committed")
    (project / "README.md").write_text("as committed")
    run(project, "git", "add", "src", "README.md")
    run(project, "git", "commit", "-m", "ship another")
    # What an earlier run wrote is no reason to refuse this one.
    (shipped / "other.onnx").write_text("shipped a moment ago")
    (project / "README.md").write_text("with its figures")
    # It takes the place of the experiment that was kept.
    results(project, "real", str(source), "--ship")
    assert run(project, "git", "for-each-ref", "refs/exps") == ""
    assert not list(project.glob(".dvc/tmp/exps/**/*.run"))
    assert (project / ".mien/ran").read_text() == "ingest evaluate evaluate "
    assert (shipped / "real.onnx").read_text() == "small"
    card = json.loads((shipped / "real.json").read_text())
    assert (card["arch"], card["version"]) == ("resnet", "model_int8_weights")
    assert card["source"]["sha256"] == hashlib.sha256(b"faces").hexdigest()
    start = json.loads((shipped / "real/record.json").read_text())
    assert (start["name"], start["spec"]["arch"]) == ("real", "resnet")
    with h5py.File(shipped / "real/model.weights.h5") as weights:
        assert weights["kernel"][()].tolist() == [0.5, 2]
    folder = project / "results/real"
    charts = {"evaluate/leaderboard.png", "evaluate/tune_resnet/trials.png"}
    told = {"audit.json", "ensemble.json", "model_card.md", "robustness.json"}
    assert files(folder) == KEPT | charts | told
    assert (folder / "evaluate/leaderboard.png").read_text() == "evaluate/leaderboard.png"
    assert json.loads((folder / "audit.json").read_text()) == {"blank": 3}
