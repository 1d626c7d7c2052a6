"""The stage ensemble on small made members in a folder of its own."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES, made_faces
from dvc.repo import Repo
from dvc.utils.serialize import dump_yaml, load_yaml
from stage_project import ROOT, change, run_stage

from mien import faces, metrics, params
from mien.errors import MienError

PLACES = {"train": "train", "tune_compact": "tune/compact", "tune_simple_cnn": "tune/simple_cnn"}
SKILLS = {"train": 1.2, "tune_compact": 1.5, "tune_simple_cnn": 1.0}
COUNT = 160
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
        faces.save(made_faces(COUNT), Path("data/faces/validation"))
        for kind in ("models", "metrics", "reports"):
            Path(kind, "tune").mkdir(parents=True)
            Path(kind, "tune", ".gitkeep").touch()
        for seed, (name, place) in enumerate(PLACES.items()):
            save_member(place, made_probabilities(seed, SKILLS[name]))
        run_stage("ensemble")
    return folder


@pytest.fixture
def room(made, tmp_path, monkeypatch):
    """Return a copy of that folder to change and run the stage in."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made_probabilities(seed: int, skill: float) -> np.ndarray:
    rng = np.random.default_rng((seed, 9))
    labels = made_faces(COUNT).labels
    logits = rng.normal(size=(COUNT, 4))
    logits[np.arange(COUNT), labels] += skill
    odds = np.exp(logits)
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)


def save_member(place: str, probabilities: np.ndarray, classes=CLASSES) -> None:
    folder = Path("models", place)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "validation.npy", probabilities)
    record = {
        "spec": {"arch": place.split("/")[-1], "classes": list(classes), "image_size": 48},
        "weights_sha256": hashlib.sha256(probabilities.tobytes()).hexdigest(),
    }
    (folder / "record.json").write_text(json.dumps(record))


def read(path: str) -> dict:
    return json.loads(Path(path).read_text())


def outs() -> dict[str, bytes]:
    files = [*Path("models/ensemble").iterdir(), *Path("reports/ensemble").iterdir()]
    files.append(Path("metrics/ensemble.json"))
    return {path.as_posix(): path.read_bytes() for path in files}


def member(name: str) -> np.ndarray:
    return np.load(Path("models", PLACES[name], "validation.npy"))


def test_scores_are_those_of_the_written_probabilities(room):
    probabilities = np.load("models/ensemble/validation.npy")
    assert (probabilities.dtype, probabilities.shape) == (np.float32, (COUNT, 4))
    written = read("metrics/ensemble.json")
    seed = params.load().seed
    score = metrics.score(made_faces(COUNT).labels, probabilities, CLASSES, seed)
    assert {name: written[name] for name in score} == score
    assert written["difference"] == metrics.paired(
        made_faces(COUNT).labels, probabilities, member(written["best_member"]), seed
    )


def test_method_is_the_best_of_the_cross_fitted(room):
    written = read("metrics/ensemble.json")
    candidates = written["candidates"]
    assert set(candidates) == set(ensembles.METHODS)
    assert candidates[written["method"]] == max(candidates.values()) == written["macro_f1"]
    labels = made_faces(COUNT).labels
    folds = ensembles.assign_folds(labels, np.arange(COUNT), params.load().seed)
    members = {name: member(name) for name in PLACES}
    crossed = ensembles.cross_fit(written["method"], members, labels, folds)
    np.testing.assert_array_equal(
        np.load("models/ensemble/validation.npy"), crossed.astype(np.float32)
    )


def test_record_says_how_to_combine_which_members(room):
    record, written = read("models/ensemble/record.json"), read("metrics/ensemble.json")
    assert record["name"] == "ensemble"
    assert record["spec"] == {"arch": "ensemble", "classes": list(CLASSES), "image_size": 48}
    assert record["combination"]["members"] == list(PLACES) == written["members"]
    assert record["combination"]["method"] == written["method"]
    assert record["combination"]["temperature"] == written["temperature"]
    assert record["members"] == {
        name: hashlib.sha256(member(name).tobytes()).hexdigest() for name in PLACES
    }
    assert record["params"] == {"ensemble": {"members": [], "method": "auto"}, "seed": 17}
    assert list(record["data"]) == ["data/faces/validation"]
    assert record["data"]["data/faces/validation"].endswith(".dir")
    labels = made_faces(COUNT).labels
    folds = ensembles.assign_folds(labels, np.arange(COUNT), 17)
    members = {name: member(name) for name in PLACES}
    assert record["combination"] == ensembles.fit(written["method"], members, labels, folds)


def test_every_model_is_scored_and_the_best_is_named(room):
    written = read("metrics/ensemble.json")
    for name in PLACES:
        score = metrics.score(made_faces(COUNT).labels, member(name), CLASSES, 17)
        expected = {
            f"{metric}{end}": score[f"{metric}{end}"]
            for metric in ("accuracy", "macro_f1", "roc_auc")
            for end in ("", "_low", "_high")
        }
        arch = PLACES[name].split("/")[-1]
        assert written["member_scores"][name] == {"arch": arch, **expected}
    assert written["best_member"] == "tune_compact"


def test_leaving_a_member_out_and_disagreement_are_told(room):
    written = read("metrics/ensemble.json")
    labels = made_faces(COUNT).labels
    folds = ensembles.assign_folds(labels, np.arange(COUNT), 17)
    for name in PLACES:
        others = {other: member(other) for other in PLACES if other != name}
        crossed = ensembles.cross_fit(written["method"], others, labels, folds)
        macro_f1 = metrics.measure(labels, crossed, CLASSES)["macro_f1"]
        assert written["leave_one_out"][name] == pytest.approx(
            macro_f1 - written["macro_f1"], abs=2e-6
        )
        for other in others:
            differ = (member(name).argmax(axis=1) != member(other).argmax(axis=1)).mean()
            assert written["disagreement"][name][other] == pytest.approx(differ, abs=1e-6)
        assert set(written["disagreement"][name]) == set(others)


def test_tables_agree_with_the_metrics(room):
    written = read("metrics/ensemble.json")
    names = {path.name for path in Path("reports/ensemble").iterdir()}
    tables = {"members.csv", "disagreement.csv", "methods.csv"}
    assert names == tables | {"members.png", "disagreement.png"}
    table = pd.read_csv("reports/ensemble/members.csv").set_index("name")
    assert list(table.index) == list(PLACES)
    for name, row in table.iterrows():
        score = written["member_scores"][name]
        for column in ("arch", "macro_f1", "macro_f1_low", "macro_f1_high", "accuracy"):
            assert row[column] == score[column]
        assert row["leave_one_out"] == written["leave_one_out"][name]
    shares = pd.read_csv("reports/ensemble/disagreement.csv", index_col="member")
    assert shares.loc["train", "tune_compact"] == written["disagreement"]["train"]["tune_compact"]
    methods = pd.read_csv("reports/ensemble/methods.csv", index_col="method")
    assert methods["macro_f1"].to_dict() == written["candidates"]
    best = methods.loc[written["method"]]
    for column in ("accuracy", "log_loss", "ece"):
        assert best[column] == written[column]


def test_two_runs_write_the_same_bytes(room):
    first = outs()
    shutil.rmtree("models/ensemble")
    shutil.rmtree("reports/ensemble")
    run_stage("ensemble")
    assert outs() == first


def test_method_asked_for_is_taken_and_weights_are_told(room):
    change("ensemble", method="weighted")
    run_stage("ensemble")
    written, record = read("metrics/ensemble.json"), read("models/ensemble/record.json")
    assert written["method"] == record["combination"]["method"] == "weighted"
    assert written["macro_f1"] == written["candidates"]["weighted"]
    weights = pd.read_csv("reports/ensemble/members.csv")["weight"].tolist()
    assert weights == record["combination"]["weights"]


def test_what_left_the_list_is_removed_and_named(room, capfd):
    for kind in ("models", "reports"):
        Path(kind, "tune/simple_cnn").mkdir(exist_ok=True)
        Path(kind, "tune/simple_cnn/left").touch()
    for arch in ("compact", "simple_cnn"):
        Path("metrics/tune", f"{arch}.json").touch()
    change("tune", archs=["compact"])
    run_stage("ensemble")
    assert capfd.readouterr().err.splitlines() == [
        "ensemble: removed metrics/tune/simple_cnn.json, models/tune/simple_cnn, "
        "reports/tune/simple_cnn: no longer in params.yaml's archs"
    ]
    left = {path.as_posix() for path in Path().glob("*/tune/*")}
    assert left == {
        "models/tune/.gitkeep",
        "models/tune/compact",
        "metrics/tune/.gitkeep",
        "metrics/tune/compact.json",
        "reports/tune/.gitkeep",
    }
    assert read("metrics/ensemble.json")["members"] == ["train", "tune_compact"]
    run_stage("ensemble")
    assert capfd.readouterr().err == ""


def test_equal_nets_count_once(room):
    save_member("tune/compact", member("train"))
    run_stage("ensemble")
    written = read("metrics/ensemble.json")
    assert written["members"] == ["train", "tune_simple_cnn"]
    assert written["same_as"] == {"tune_compact": "train"}
    assert set(written["member_scores"]) == set(PLACES)
    assert set(read("models/ensemble/record.json")["members"]) == {"train", "tune_simple_cnn"}


def test_members_asked_for_alone_are_combined_and_all_are_scored(room):
    change("ensemble", members=["tune_simple_cnn", "train"])
    run_stage("ensemble")
    written = read("metrics/ensemble.json")
    assert written["members"] == ["train", "tune_simple_cnn"]
    assert set(written["leave_one_out"]) == set(written["disagreement"]) == set(written["members"])
    assert set(written["member_scores"]) == set(PLACES)
    assert written["best_member"] == "tune_compact"


def test_one_member_is_an_ensemble_too(room):
    shutil.rmtree("reports/ensemble")
    change("ensemble", members=["tune_compact"], method="stacking")
    run_stage("ensemble")
    written = read("metrics/ensemble.json")
    assert (written["method"], written["leave_one_out"]) == ("mean", {})
    assert written["macro_f1"] == written["member_scores"]["tune_compact"]["macro_f1"]
    assert not Path("reports/ensemble/disagreement.png").exists()


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
        "ensemble: ensemble.members: tune_vgg16 is no model, one of train, tune_compact, "
        "tune_simple_cnn; change it, or add its architecture to tune.archs"
    ]


@pytest.mark.parametrize(
    ("count", "classes", "got"),
    [
        (COUNT, ("happy", "sad", "neutral", "surprise"), "160 images of happy, sad, neutral"),
        (COUNT - 1, CLASSES, "159 images of happy, neutral, sad"),
    ],
)
def test_member_of_other_images_is_named(room, count, classes, got):
    save_member("tune/compact", member("tune_compact")[:count], classes)
    with pytest.raises(
        MienError,
        match=r"models/tune/compact must be measured on the 160 images of data/faces/validation, "
        f"of happy, neutral, sad, surprise, got {got}, surprise; run `dvc repro`",
    ) as caught:
        run_stage("ensemble")
    assert "\n" not in str(caught.value)
