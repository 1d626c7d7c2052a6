"""The stage evaluate on small untrained models in a folder of its own."""

import importlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES, made_faces
from dvc.cli import main as dvc
from dvc.repo import Repo
from dvc.utils.serialize import dump_yaml, load_yaml
from sklearn.metrics import accuracy_score

from mien import faces, metrics, models, params
from mien.errors import ParamError
from mien.evaluation import corruptions

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("train", "tune_simple_cnn", "tune_two_conv")
PLACES = ("train", "tune/simple_cnn", "tune/two_conv")
FOLDERS = {name: Path("models", place) for name, place in zip(NAMES, PLACES, strict=True)}
# The third member has no say.
COMBINATION = {
    "method": "weighted",
    "members": ["train", "tune_simple_cnn"],
    "weights": [0.75, 0.25],
    "temperature": 1.0,
}
# The ensemble is no better than its best member.
VALIDATION = {"train": 0.7, "tune_simple_cnn": 0.6, "tune_two_conv": 0.5, "ensemble": 0.7}


def settings(**evaluate: str | float) -> params.Params:
    """Return the project's params with two architectures tuned, and changes of `evaluate`."""
    given = params.load()
    tune = given.tune.model_copy(update={"archs": ("simple_cnn", "two_conv")})
    changed = given.evaluate.model_copy(update=evaluate)
    return given.model_copy(update={"tune": tune, "evaluate": changed})


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """Return the stage's module, run once in a folder with a test split and three models."""
    models.use_backend("tensorflow")
    folder = tmp_path_factory.mktemp("evaluate")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(ROOT / "stages")
        module = importlib.import_module("evaluate")
        shutil.copy(ROOT / "params.yaml", folder)
        faces.save(made_faces(48), Path("data/faces/test"))
        for seed, (place, path) in enumerate(zip(PLACES, FOLDERS.values(), strict=True)):
            # Only the first has attention with places to look at.
            save_model(path, seed, attention="none" if seed else "cbam")
            write_history(place)
        save_ensemble()
        set_validation(**VALIDATION)
        module.main(settings())
        yield module


def save_model(folder: Path, seed: int, attention: str) -> None:
    """Write an untrained model and its record."""
    spec = {
        "arch": "simple_cnn",
        "width": 0.1,
        "attention": attention,
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


def save_ensemble() -> None:
    folder = Path("models/ensemble")
    folder.mkdir(parents=True)
    spec = {"arch": "ensemble", "classes": list(CLASSES), "image_size": 48}
    record = {"name": "ensemble", "spec": spec, "combination": COMBINATION}
    (folder / "record.json").write_text(json.dumps(record))


def set_validation(**macro_f1: float) -> None:
    """Write the part of the ensemble's metrics that says how good each model is."""
    scores = {
        name: {"macro_f1": value, "macro_f1_low": value - 0.1, "macro_f1_high": value + 0.1}
        for name, value in macro_f1.items()
    }
    ensemble = scores.pop("ensemble")
    Path("metrics").mkdir(exist_ok=True)
    Path("metrics/ensemble.json").write_text(json.dumps(ensemble | {"member_scores": scores}))


def write_history(place: str) -> None:
    path = Path("reports", place, "history.csv")
    path.parent.mkdir(parents=True)
    columns = ("epoch", "loss", "val_loss", "accuracy", "val_accuracy", "val_macro_f1")
    pd.DataFrame([range(1, 7)], columns=columns).to_csv(path, index=False)


def outs() -> dict[str, bytes]:
    """Return every file the stage wrote."""
    folders = (Path("reports/evaluate"), Path("data/pictures"), Path("data/predictions"))
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    files += [Path("metrics", f"{name}.json") for name in ("evaluate", "robustness", "summary")]
    return {path.as_posix(): path.read_bytes() for path in files}


def read(path: str) -> dict:
    return json.loads(Path(path).read_text())


def predictions(name: str) -> np.ndarray:
    return np.load(f"data/predictions/{name}.npy")


def test_scores_are_those_of_the_test_predictions(stage):
    test = faces.load(Path("data/faces/test"))
    written = read("metrics/evaluate.json")["models"]
    assert set(written) == {*NAMES, "ensemble"}
    for name, folder in FOLDERS.items():
        expected = models.load(folder).predict(test.images, verbose=0)
        np.testing.assert_allclose(predictions(name), expected, atol=1e-5)
    for name, score in written.items():
        expected = metrics.score(test.labels, predictions(name), CLASSES, params.load().seed)
        assert score == {"arch": "simple_cnn" if name in NAMES else "ensemble", **expected}


def test_ensemble_combines_its_members_test_predictions(stage):
    combined = 0.75 * predictions("train") + 0.25 * predictions("tune_simple_cnn")
    assert predictions("ensemble").dtype == np.float32
    np.testing.assert_allclose(predictions("ensemble"), combined, atol=1e-6)


def test_member_is_champion_before_an_ensemble_no_better_on_validation(stage):
    assert read("metrics/evaluate.json")["champion"] == "train"


def test_every_other_model_is_compared_with_the_champion(stage):
    written = read("metrics/evaluate.json")
    champion, compared = written["champion"], written["compared"]
    assert set(compared) == set(written["models"]) - {champion}
    labels = faces.load(Path("data/faces/test")).labels
    right = {name: predictions(name).argmax(axis=1) == labels for name in written["models"]}
    for name, pair in compared.items():
        assert pair["only_a"] == (right[name] & ~right[champion]).sum()
        assert pair["only_b"] == (right[champion] & ~right[name]).sum()


def test_leaderboard_is_in_the_order_of_validation(stage):
    board = pd.read_csv("reports/evaluate/leaderboard.csv").set_index("model")
    written = read("metrics/evaluate.json")
    assert board["validation_macro_f1"].is_monotonic_decreasing
    assert board.index[0] == written["champion"]
    assert pd.isna(board.loc[written["champion"], "mcnemar_p"])
    for name, pair in written["compared"].items():
        assert board.loc[name, "mcnemar_p"] == pair["mcnemar_p"]
    for name, score in written["models"].items():
        for metric in ("accuracy", "macro_f1", "roc_auc"):
            for end in ("", "_low", "_high"):
                assert board.loc[name, f"test_{metric}{end}"] == score[f"{metric}{end}"]


def test_reports_hold_tables_and_charts_but_no_faces(stage):
    charts = ("confusion", "pr", "reliability", "roc")
    expected = {f"{chart}.png" for chart in charts}
    for name in (*NAMES, "ensemble"):
        curves = {"learning_curves.png"} if name in NAMES else set()
        written = {path.name for path in Path("reports/evaluate", name).iterdir()}
        assert written == expected | curves
        attention = {"attention.png"} if name == "train" else set()
        pictures = {path.name for path in Path("data/pictures/evaluate", name).iterdir()}
        assert pictures == {"mistakes.png", "pairs.png"} | attention
    tables = {*charts, "leaderboard", "learning_curves", "per_class", "robustness"}
    found = {path.name for path in Path("reports/evaluate").glob("*.*")}
    assert found == {f"{table}.csv" for table in tables} | {"leaderboard.png", "robustness.png"}
    assert Path("data/pictures/evaluate/corruptions.png").is_file()


def test_tables_agree_with_the_metrics(stage):
    score = read("metrics/evaluate.json")["models"]["train"]
    confusion = table("confusion", "train")
    assert accuracy_score(
        confusion["actual"], confusion["predicted"], sample_weight=confusion["count"]
    ) == pytest.approx(score["accuracy"], abs=1e-6)
    assert confusion.groupby("actual")["share"].sum().to_numpy() == pytest.approx(1, abs=1e-5)
    bins = table("reliability", "train")
    gaps = (bins["accuracy"] - bins["confidence"]).abs() * bins["count"]
    assert gaps.sum() / bins["count"].sum() == pytest.approx(score["ece"], abs=2e-6)
    per_class = table("per_class", "train").set_index("class")
    assert per_class.to_dict("index") == score["per_class"]
    curves = table("learning_curves", "train")
    assert curves.to_dict("list") == pd.read_csv("reports/train/history.csv").to_dict("list")


def table(name: str, model: str) -> pd.DataFrame:
    """Return the model's rows of a table that holds all models."""
    rows = pd.read_csv(f"reports/evaluate/{name}.csv")
    return rows[rows["model"] == model].drop(columns="model").reset_index(drop=True)


def test_dvc_draws_every_model_and_metrics_are_few(stage, tmp_path):
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
        assert models == set(NAMES) | (set() if name.startswith("Learning") else {"ensemble"})
        assert spec["facet"]["row"]["field"] == "model"
        # `point` is made by the chart.
        used = set(re.findall(r'"field": "(\w+)"', specs[name])) - {"point"}
        assert used <= set(spec["data"]["values"][0])
    assert shown["data"] == {"metrics/summary.json": {"data": read("metrics/summary.json")}}


def check_robustness(predict) -> None:
    """Check the file against what `predict` says of images that are corrupted here."""
    test, seed = faces.load(Path("data/faces/test")), params.load().seed
    written, evaluated = read("metrics/robustness.json"), read("metrics/evaluate.json")
    assert written["champion"] == evaluated["champion"]
    clean, *spoilt = written["images"]
    assert clean["corruption"] == "clean"
    assert clean.items() & evaluated["models"][written["champion"]].items() == {
        (key, clean[key]) for key in clean if key.startswith(("accuracy", "macro_f1"))
    }
    every = {(name, step) for name in corruptions.CORRUPTIONS for step in (1, 2, 3)}
    assert {(row["corruption"], row["severity"]) for row in spoilt} == every
    for row in spoilt[::4]:
        images = corruptions.corrupt(test.images, row["corruption"], row["severity"], seed)
        expected = metrics.score(test.labels, predict(images), CLASSES, seed)
        assert row.items() >= {key: expected[key] for key in row if key in expected}.items()
    for key in ("accuracy", "macro_f1"):
        mean = np.mean([row[key] for row in spoilt])
        assert written[f"mean_{key}"] == pytest.approx(mean, abs=1e-6)
    table = pd.read_csv("reports/evaluate/robustness.csv")
    pd.testing.assert_frame_equal(table, pd.DataFrame(written["images"])[[*table]])


def test_robustness_is_the_champions_on_corrupted_images(stage):
    model = models.load(FOLDERS["train"])
    check_robustness(lambda images: model.predict(images, verbose=0))


def test_two_runs_write_the_same_bytes(stage):
    first = outs()
    shutil.rmtree("reports/evaluate")
    stage.main(settings())
    assert outs() == first


def test_champion_is_the_best_on_validation_even_if_worst_on_test(stage):
    tested = read("metrics/evaluate.json")["models"]
    worst, *others = sorted(tested, key=lambda name: tested[name]["macro_f1"])
    assert tested[worst]["macro_f1"] < tested[others[0]]["macro_f1"]
    set_validation(**{worst: 0.9, **dict.fromkeys(others, 0.8)})
    stage.main(settings())
    written = read("metrics/evaluate.json")
    assert written["champion"] == worst
    few = ("accuracy", "macro_f1", "roc_auc", "ece")
    for role, name in (("champion", worst), ("train", "train")):
        summary = read("metrics/summary.json")[role]
        assert {key: summary[key] for key in few} == {key: tested[name][key] for key in few}
        assert summary["validation_macro_f1"] == (0.9 if name == worst else 0.8)
    assert read("metrics/summary.json")["champion"]["model"] == worst


def test_champion_takes_no_more_multiply_adds_than_allowed(stage):
    costs = {name: models.cost(models.load(folder))[1] for name, folder in FOLDERS.items()}
    set_validation(**VALIDATION | {"ensemble": 0.9})
    stage.main(settings(multiply_adds=1.5 * max(costs.values()) / 10**6))
    assert read("metrics/evaluate.json")["champion"] == "train"
    assert "ensemble" in read("metrics/evaluate.json")["models"]
    with pytest.raises(
        ParamError, match=r"multiply_adds: no model takes at most 0\.1 million; \w+"
    ):
        stage.main(settings(multiply_adds=0.1))


def test_flips_are_averaged_on_the_test_split_alone(stage):
    """The better ensemble is champion, whose validation score no averaging touches."""
    test = faces.load(Path("data/faces/test"))
    model = models.load(FOLDERS["train"])
    both = [model.predict(images, verbose=0) for images in (test.images, test.images[:, :, ::-1])]
    assert read("metrics/evaluate.json")["tta"] == "none"
    np.testing.assert_allclose(predictions("train"), both[0], atol=1e-5)
    assert np.abs(both[1] - both[0]).max() > 0.01
    set_validation(**VALIDATION | {"ensemble": 0.71})
    stage.main(settings(tta="flip"))
    written, board = read("metrics/evaluate.json"), pd.read_csv("reports/evaluate/leaderboard.csv")
    assert written["tta"] == "flip"
    np.testing.assert_allclose(predictions("train"), np.mean(both, axis=0), atol=1e-5)
    assert written["champion"] == "ensemble"
    assert read("metrics/summary.json")["champion"]["model"] == "ensemble"
    assert dict(zip(board["model"], board["validation_macro_f1"], strict=True)) == (
        VALIDATION | {"ensemble": 0.71}
    )
    members = [models.load(FOLDERS[name]) for name in COMBINATION["members"]]

    def together(images: np.ndarray) -> np.ndarray:
        flips = (images, np.ascontiguousarray(images[:, :, ::-1]))
        said = [np.mean([net.predict(f, verbose=0) for f in flips], axis=0) for net in members]
        return np.average(said, axis=0, weights=COMBINATION["weights"])

    check_robustness(together)


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
