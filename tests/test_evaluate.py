"""The stage evaluate on small untrained models in a folder of its own."""

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES, made_faces
from sklearn.metrics import accuracy_score

from mien import faces, metrics, models, params

ROOT = Path(__file__).resolve().parents[1]
PLACES = {"train": "train", "tune_simple_cnn": "tune/simple_cnn"}
FOLDERS = {name: Path("models", place) for name, place in PLACES.items()}


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """Return the stage's module, run once in a folder with a test split and two models."""
    models.use_backend("tensorflow")
    folder = tmp_path_factory.mktemp("evaluate")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(ROOT / "stages")
        module = importlib.import_module("evaluate")
        patch.setattr(module, "MODELS", PLACES)
        shutil.copy(ROOT / "params.yaml", folder)
        faces.save(made_faces(48), Path("data/faces/test"))
        for seed, path in enumerate(FOLDERS.values()):
            save_model(path, seed)
        for place in PLACES.values():
            write_history(place)
        module.main(params.load())
        yield module


def save_model(folder: Path, seed: int, validation: float = 0.5) -> None:
    """Write an untrained model, its record and its validation macro-F1."""
    spec = {
        "arch": "simple_cnn",
        "width": 0.1,
        "dropout": None,
        "classes": list(CLASSES),
        "image_size": 48,
    }
    folder.mkdir(parents=True)
    model = models.build(spec, seed)
    rng = np.random.default_rng(seed)
    # Strong weights, so that the net does not take every face for one class.
    model.set_weights([rng.normal(0, 0.5, weight.shape) for weight in model.get_weights()])
    model.save_weights(folder / "model.weights.h5")
    record = {"name": "train", "spec": spec, "params": {"train": {"backend": "tensorflow"}}}
    (folder / "record.json").write_text(json.dumps(record))
    set_validation(folder, validation)


def write_history(place: str) -> None:
    path = Path("reports", place, "history.csv")
    path.parent.mkdir(parents=True)
    columns = ("epoch", "loss", "val_loss", "accuracy", "val_accuracy", "val_macro_f1")
    pd.DataFrame([range(1, 7)], columns=columns).to_csv(path, index=False)


def set_validation(folder: Path, macro_f1: float) -> None:
    path = Path("metrics", *folder.parts[1:]).with_suffix(".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"macro_f1": macro_f1}))


def outs() -> dict[str, bytes]:
    """Return every file the stage wrote."""
    folders = (Path("reports/evaluate"), Path("data/pictures"), Path("data/predictions"))
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    files += [Path("metrics/evaluate.json"), Path("metrics/summary.json")]
    return {path.as_posix(): path.read_bytes() for path in files}


def read(path: str) -> dict:
    return json.loads(Path(path).read_text())


def test_scores_are_those_of_the_test_predictions(stage):
    test = faces.load(Path("data/faces/test"))
    written = read("metrics/evaluate.json")["models"]
    assert set(written) == set(FOLDERS)
    for name, folder in FOLDERS.items():
        probabilities = np.load(f"data/predictions/{name}.npy")
        np.testing.assert_allclose(
            probabilities, models.load(folder).predict(test.images, verbose=0), atol=1e-5
        )
        score = metrics.score(test.labels, probabilities, CLASSES, params.load().seed)
        assert written[name] == {"arch": "simple_cnn", **score}


def test_champion_is_the_best_on_validation_even_if_worse_on_test(stage):
    scores = {
        name: score["macro_f1"] for name, score in read("metrics/evaluate.json")["models"].items()
    }
    worse, better = sorted(scores, key=lambda name: scores[name])
    assert scores[worse] < scores[better]
    set_validation(FOLDERS[worse], 0.9)
    set_validation(FOLDERS[better], 0.8)
    stage.main(params.load())
    assert read("metrics/evaluate.json")["champion"] == worse
    summary = read("metrics/summary.json")
    expected = read("metrics/evaluate.json")["models"][worse]
    assert summary == {
        "champion": worse,
        **{key: expected[key] for key in ("arch", "accuracy", "macro_f1", "roc_auc", "ece")},
    }


def test_reports_hold_tables_and_charts_but_no_faces(stage):
    tables = ("confusion", "per_class", "pr", "reliability", "roc")
    charts = ("confusion", "learning_curves", "pr", "reliability", "roc")
    expected = {f"{table}.csv" for table in tables} | {f"{chart}.png" for chart in charts}
    for name in FOLDERS:
        written = {path.name for path in Path("reports/evaluate", name).iterdir()}
        assert written == expected
        pictures = {path.name for path in Path("data/pictures/evaluate", name).iterdir()}
        assert pictures == {"mistakes.png", "pairs.png"}


def test_tables_agree_with_the_metrics(stage):
    score = read("metrics/evaluate.json")["models"]["train"]
    folder = Path("reports/evaluate/train")
    confusion = pd.read_csv(folder / "confusion.csv")
    assert accuracy_score(confusion["actual"], confusion["predicted"]) == pytest.approx(
        score["accuracy"], abs=1e-6
    )
    bins = pd.read_csv(folder / "reliability.csv")
    gaps = (bins["accuracy"] - bins["confidence"]).abs() * bins["count"]
    assert gaps.sum() / bins["count"].sum() == pytest.approx(score["ece"], abs=2e-6)
    per_class = pd.read_csv(folder / "per_class.csv").set_index("class")
    assert per_class.to_dict("index") == score["per_class"]


def test_two_runs_write_the_same_bytes(stage):
    first = outs()
    shutil.rmtree("reports/evaluate")
    stage.main(params.load())
    assert outs() == first


def test_model_of_other_classes_ends_in_one_line(stage, tmp_path):
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
        "evaluate: data/faces/test must hold faces of happy, sad at 48 pixels, as models/train "
        "was trained on, got 48 of happy, neutral, sad, surprise at 48 pixels; run `dvc repro`"
    ]
