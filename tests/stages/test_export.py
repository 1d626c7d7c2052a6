"""The stage export writes the champion's files, and its card from what evaluate said of it."""

import json
import shutil
from pathlib import Path

import made_models
import numpy as np
import pytest
from made_models import COMBINATION, TEST
from stage_project import ROOT, change, run_stage

from mien import faces, metrics
from mien.ensembling.combination import combine
from mien.export.checking import probabilities

# A weak one, which leaves its mark.
HONEST = np.full((len(TEST), 4), 0.25, np.float32)


@pytest.fixture
def room(tmp_path, monkeypatch):
    """Return a folder with validation faces, three nets and their ensemble."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    faces.save(TEST, Path("data/faces/validation"))
    made_models.written(tmp_path)
    for name in made_models.IDS:
        path = made_models.IDS[name].model_folder / "record.json"
        extra = {"weights_sha256": name, "data": {"data/training": "11"}}
        path.write_text(json.dumps(made_models.record(name) | extra))
    made_models.write(Path("models/ensemble"), "ensemble")
    np.save("models/ensemble/validation.npy", HONEST)
    return tmp_path


def answers(name: str) -> np.ndarray:
    return np.asarray(made_models.net(name)(TEST.images.astype(np.float32)))


@pytest.mark.parametrize("champion", ["ensemble", "tune_two_conv"])
def test_the_champion_becomes_a_file_that_answers_alike(room, champion):
    score = metrics.score_faces(TEST, answers("train"), 17)
    Path("metrics").mkdir()
    evaluation = {"champion": champion, "models": {champion: score}}
    Path("metrics/evaluate.json").write_text(json.dumps(evaluation))
    run_stage("export")
    card = json.loads(Path("models/export/card.json").read_text())
    written = json.loads(Path("metrics/export.json").read_text())
    assert written["champion"] == champion
    members = COMBINATION["members"] if champion == "ensemble" else [champion]
    assert list(card["members"]) == members
    assert card["metrics"]["test"]["accuracy"] == score["accuracy"]
    combination = {"method": "mean", "members": members, "temperature": card["temperature"]}
    if champion == "ensemble":
        assert card["metrics"]["validation"]["accuracy"] == (TEST.labels == 0).mean()
        combination = COMBINATION
    expected = combine(combination, {name: answers(name) for name in members})
    file = Path("models/export/model.onnx").read_bytes()
    assert probabilities(file, TEST.images) == pytest.approx(expected, abs=1e-4)
    kept = {name for name, version in written["versions"].items() if version["kept"]}
    assert {path.stem for path in Path("models/export").glob("*.onnx")} == kept


@pytest.mark.parametrize(
    ("source", "url", "drawn"),
    [
        ("data/sample", None, True),
        ("faces.zip", None, False),
        ("data/sample", "https://example.org/faces.zip", False),
    ],
)
def test_the_card_says_whether_the_faces_were_drawn(room, source, url, drawn):
    Path("data/sample").mkdir(parents=True)
    Path("data/sample/recipe.yaml").touch()
    Path("metrics").mkdir()
    score = metrics.score_faces(TEST, answers("train"), 17)
    evaluation = {"champion": "train", "models": {"train": score}}
    Path("metrics/evaluate.json").write_text(json.dumps(evaluation))
    change("data", source=source, url=url)
    run_stage("export")
    assert json.loads(Path("models/export/card.json").read_text())["drawn"] is drawn
