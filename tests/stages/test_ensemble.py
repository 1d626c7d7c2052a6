"""The stage ensemble reads its members' files, writes its own, and clears up after models."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from dvc.repo import Repo
from dvc.utils.serialize import dump_yaml, load_yaml
from made_candidates import VALIDATION, candidates
from stage_project import ROOT, change, run_stage

from mien import faces
from mien.ensembling.ensemble import build
from mien.project import ModelId, stage_inputs

DATA = ("data/faces/validation", "models/train", "models/tune")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder with validation faces and three members that the stage has run in."""
    folder = tmp_path_factory.mktemp("ensemble")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Repo.init(no_scm=True).close()
        # The hashes of the data alone: the code lies elsewhere.
        stage = load_yaml(ROOT / "dvc.yaml")["stages"]["ensemble"] | {"deps": list(DATA)}
        dump_yaml("dvc.yaml", {"stages": {"ensemble": stage}})
        shutil.copy(ROOT / "params.yaml", folder)
        change("tune", archs=["compact", "simple_cnn"])
        faces.save(VALIDATION, Path("data/faces/validation"))
        for kind in ("models", "metrics", "reports"):
            Path(kind, "tune").mkdir(parents=True)
            Path(kind, "tune", ".gitkeep").touch()
        for name, each in candidates().items():
            place = ModelId.parse(name).model_folder
            place.mkdir(parents=True, exist_ok=True)
            np.save(place / "validation.npy", each.probabilities)
            (place / "record.json").write_text(json.dumps(each.record))
        run_stage("ensemble")
    return folder


@pytest.fixture
def room(made, tmp_path, monkeypatch):
    """Return a copy of that folder to change and run the stage in."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(path: str) -> dict:
    return json.loads(Path(path).read_text())


def outs() -> dict[str, bytes]:
    files = [*Path("models/ensemble").iterdir(), *Path("reports/ensemble").iterdir()]
    files.append(Path("metrics/ensemble.json"))
    return {path.as_posix(): path.read_bytes() for path in files}


def test_the_outs_are_the_ensemble_of_the_models_files(room, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "ensemble")
    expected = build(candidates(), VALIDATION, (), "auto", 17)
    assert read("metrics/ensemble.json") == expected.metrics
    record = read("models/ensemble/record.json")
    assert record.items() >= expected.record.items()
    assert record["params"] == {"ensemble": {"members": [], "method": "auto"}, "seed": 17}
    assert record["data"] == {DATA[0]: stage_inputs()[DATA[0]]}
    assert record["data"][DATA[0]].endswith(".dir")
    written = np.load("models/ensemble/validation.npy")
    np.testing.assert_array_equal(written, expected.probabilities)
    assert {path.stem for path in Path("reports/ensemble").iterdir()} == set(expected.tables)
    for name, table in expected.tables.items():
        assert Path(f"reports/ensemble/{name}.csv").read_text() == table.to_csv(index=False)


def test_two_runs_write_the_same_bytes(room):
    first = outs()
    shutil.rmtree("models/ensemble")
    shutil.rmtree("reports/ensemble")
    run_stage("ensemble")
    assert outs() == first


def test_what_left_the_list_is_removed_and_named(room, capfd):
    for kind in ("models", "reports"):
        Path(kind, "tune/simple_cnn").mkdir(exist_ok=True)
        Path(kind, "tune/simple_cnn/left").touch()
    for arch in ("compact", "simple_cnn"):
        Path("metrics/tune", f"{arch}.json").touch()
    change("tune", archs=["compact"])
    change("ensemble", method="weighted")
    run_stage("ensemble")
    gone = ("metrics/tune/simple_cnn.json", "models/tune/simple_cnn", "reports/tune/simple_cnn")
    assert capfd.readouterr().err.splitlines() == [
        f"removed {path}: no longer in params.yaml" for path in gone
    ]
    left = {path.as_posix() for path in Path().glob("*/tune/*")}
    assert left == {
        "models/tune/.gitkeep",
        "models/tune/compact",
        "metrics/tune/.gitkeep",
        "metrics/tune/compact.json",
        "reports/tune/.gitkeep",
    }
    written = read("metrics/ensemble.json")
    assert (written["method"], written["members"]) == ("weighted", ["train", "tune_compact"])
    run_stage("ensemble")
    assert capfd.readouterr().err == ""


def test_unknown_member_ends_in_one_line(room):
    change("ensemble", members=["tune_vgg16"])
    done = subprocess.run(
        [sys.executable, ROOT / "stages" / "ensemble.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "ensemble: params.yaml: ensemble.members: 'tune_vgg16' is no model, one of train, "
        "tune_compact, tune_simple_cnn; change it, or add its architecture to tune.archs"
    ]
