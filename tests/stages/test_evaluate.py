"""The stage evaluate reads the models' files and writes scores, tables, charts and sheets."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import made_models
import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES
from dvc.cli import main as dvc
from dvc.repo import Repo
from dvc.utils.serialize import dump_yaml, load_yaml
from made_models import HISTORY, TEST
from stage_project import ROOT, change, run_stage

from mien import faces, metrics, models, params
from mien.project import ModelId

IDS = {name: made_models.IDS[name] for name in ("train", "tune_simple_cnn")}
SCORES = {"train": 0.7, "tune_simple_cnn": 0.6, "ensemble": 0.71}
SUSPECTS = {"row": [3], "name": ["0/3.png"], "label": ["surprise"], "suggested": ["sad"]}


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """Return a folder with a test split, two models and an ensemble that the stage has run in."""
    folder = tmp_path_factory.mktemp("evaluate")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        shutil.copy(ROOT / "params.yaml", folder)
        change("tune", archs=["simple_cnn"])
        change("evaluate", tta="flip")
        for split in ("test", "train"):
            faces.save(TEST, Path("data/faces", split))
        made_models.written(folder)
        made_models.write(Path("models/ensemble"), "ensemble")
        write_reports()
        set_validation(**SCORES)
        run_stage("evaluate")
        yield folder


def write_reports() -> None:
    """Write the tables that other stages leave."""
    for model in IDS.values():
        model.report_folder.mkdir(parents=True)
        HISTORY.to_csv(model.report_folder / "history.csv", index=False)
        if model.stage == "tune":
            row = {"trial": 1, "state": "complete", "value": 0.5, "epochs": 4, "reason": None}
            pd.DataFrame([row]).to_csv(model.report_folder / "trials.csv", index=False)
            empty = pd.DataFrame(columns=["param", "importance"])
            empty.to_csv(model.report_folder / "importances.csv", index=False)
    Path("reports/ensemble").mkdir()
    rows = [
        {"name": name, "arch": "simple_cnn", **score, "leave_one_out": 0.01}
        for name, score in made_models.validation(**SCORES).items()
        if name != "ensemble"
    ]
    pd.DataFrame(rows).to_csv("reports/ensemble/members.csv", index=False)
    shares = pd.DataFrame(0.25, [*IDS], [*IDS]).rename_axis("member")
    shares.to_csv("reports/ensemble/disagreement.csv")
    Path("reports/suspects").mkdir()
    pd.DataFrame(SUSPECTS).to_csv("reports/suspects/suspects.csv", index=False)


def set_validation(**macro_f1: float) -> None:
    """Write the metrics of validation, which say how good each model is."""
    ensemble = {
        "members": [*IDS],
        "best_member": "train",
        "method": "weighted",
        "same_as": {},
        "difference": {f"macro_f1_difference{end}": 0.0 for end in ("", "_low", "_high")},
    }
    for name, score in made_models.validation(**macro_f1).items():
        path = ModelId.parse(name).metrics_file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(score | (ensemble if name == "ensemble" else {})))


def outs() -> dict[str, bytes]:
    """Return every file the stage wrote."""
    folders = (Path("reports/evaluate"), Path("data/pictures"), Path("data/predictions"))
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    files += [Path("metrics", f"{name}.json") for name in ("evaluate", "robustness", "summary")]
    return {path.as_posix(): path.read_bytes() for path in files}


def read(path: str) -> dict:
    return json.loads(Path(path).read_text())


def test_scores_are_those_of_the_written_predictions(room):
    written = read("metrics/evaluate.json")
    assert set(written["models"]) == {*IDS, "ensemble"}
    assert (written["champion"], written["tta"]) == ("ensemble", "flip")
    for name, score in written["models"].items():
        said = np.load(f"data/predictions/{name}.npy")
        expected = metrics.score(TEST.labels, said, CLASSES, params.load().seed)
        assert score == {"arch": "simple_cnn" if name in IDS else "ensemble", **expected}
    model = models.load(Path("models/tune/simple_cnn"))
    both = (TEST.images, np.ascontiguousarray(TEST.images[:, :, ::-1]))
    mean = np.mean([model.predict(images, verbose=0) for images in both], axis=0)
    said = np.load("data/predictions/tune_simple_cnn.npy")
    np.testing.assert_allclose(said, mean, atol=1e-5)
    summary, board = read("metrics/summary.json"), pd.read_csv("reports/evaluate/leaderboard.csv")
    assert summary["champion"]["model"] == "ensemble"
    assert dict(zip(board["model"], board["validation_macro_f1"], strict=True)) == SCORES
    robustness = read("metrics/robustness.json")
    assert robustness["champion"] == "ensemble"
    table = pd.read_csv("reports/evaluate/robustness.csv")
    pd.testing.assert_frame_equal(table, pd.DataFrame(robustness["images"])[[*table]])


def test_reports_hold_tables_and_charts_but_no_faces(room):
    charts = {f"{chart}.png" for chart in ("confusion", "pr", "reliability", "roc")}
    # One trial is too few for importances.
    study = {f"{chart}.png" for chart in ("trials", "trial_params")}
    for name in IDS:
        written = {path.name for path in Path("reports/evaluate", name).iterdir()}
        tuned = study if name.startswith("tune") else set()
        assert written == charts | {"learning_curves.png"} | tuned
    written = {path.name for path in Path("reports/evaluate/ensemble").iterdir()}
    assert written == charts | {"members.png", "disagreement.png"}
    tables = {"confusion", "pr", "reliability", "roc", "leaderboard", "learning_curves"}
    tables |= {"per_class", "robustness"}
    found = {path.name for path in Path("reports/evaluate").glob("*.*")}
    together = {"cost.png", "leaderboard.png", "robustness.png"}
    assert found == {f"{table}.csv" for table in tables} | together
    pictures = {path.as_posix() for path in Path("data/pictures").rglob("*.png")}
    sheets = {f"{name}/{sheet}" for name in (*IDS, "ensemble") for sheet in ("mistakes", "pairs")}
    sheets |= {"train/attention", "corruptions", "suspects"}
    assert pictures == {f"data/pictures/evaluate/{sheet}.png" for sheet in sheets}


def test_dvc_draws_every_model_and_metrics_are_few(room, tmp_path):
    """In a project that declares plots and metrics as this one does."""
    shutil.copytree("reports/evaluate", tmp_path / "reports/evaluate")
    shutil.copytree("metrics", tmp_path / "metrics")
    shutil.copytree(ROOT / ".dvc/plots", tmp_path / ".dvc/plots")
    shutil.copy(ROOT / ".dvc/config", tmp_path / ".dvc")
    declared = load_yaml(ROOT / "dvc.yaml")
    (tmp_path / "evaluate.py").touch()
    kept = {"cmd": "python evaluate.py", "plots": declared["stages"]["evaluate"]["plots"]}
    top = {key: declared[key] for key in ("metrics", "plots")}
    dump_yaml(tmp_path / "dvc.yaml", {"stages": {"evaluate": kept}, **top})
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert dvc(["plots", "show", "--out", "drawn"]) == 0
        with Repo(".") as repo:
            (shown,) = repo.metrics.show().values()
    page = Path(tmp_path, "drawn/index.html").read_text()
    specs = dict(re.findall(r'<div id = "([^"]+)">.*?var spec = (.*?);\s+vegaEmbed', page, re.S))
    hidden = re.findall(r'\[id\^="(\w+)"\]', page)
    drawn = {
        name: json.loads(spec) for name, spec in specs.items() if not name.startswith(tuple(hidden))
    }
    assert len(drawn) == len(declared["plots"])
    for name, spec in drawn.items():
        models = {row["model"] for row in spec["data"]["values"]}
        assert models == set(IDS) | (set() if name.startswith("Learning") else {"ensemble"})
        assert spec["facet"]["row"]["field"] == "model"
        used, made = (set(re.findall(rf'"{key}": "(\w+)"', specs[name])) for key in ("field", "as"))
        assert used - made <= set(spec["data"]["values"][0])
    assert shown["data"] == {"metrics/summary.json": {"data": read("metrics/summary.json")}}


def test_two_runs_write_the_same_bytes(room):
    first = outs()
    shutil.rmtree("reports/evaluate")
    run_stage("evaluate")
    assert outs() == first


def test_model_of_other_classes_ends_in_one_line(room, tmp_path):
    shutil.copytree(".", tmp_path, dirs_exist_ok=True)
    record = read("models/train/record.json")
    record["spec"]["classes"] = ["happy", "sad"]
    (tmp_path / "models/train/record.json").write_text(json.dumps(record))
    done = subprocess.run(
        [sys.executable, ROOT / "stages" / "evaluate.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "evaluate: the test split must hold faces of happy, sad at 48 pixels, as the model train "
        "was trained on, got 48 of happy, neutral, sad, surprise at 48 pixels; run `dvc repro`"
    ]
