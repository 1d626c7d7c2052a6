"""The stage `export` tells in its card whether the faces were drawn."""

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("keras", reason="the pipeline is not installed")

from mien import faces, models, params
from mien.export import champion

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("changes", "drawn"),
    [
        ({}, True),
        ({"source": "faces.zip"}, False),
        ({"url": "https://example.org/faces.zip"}, False),
    ],
)
def test_the_card_says_whether_the_faces_were_drawn(tmp_path, monkeypatch, changes, drawn):
    monkeypatch.syspath_prepend(ROOT / "stages")
    stage = runpy.run_path(str(ROOT / "stages/export.py"))
    monkeypatch.chdir(tmp_path)
    for folder in ("data/sample", "metrics", "models/export", "models/train", "models/ensemble"):
        Path(folder).mkdir(parents=True)
    Path("data/sample/recipe.yaml").touch()
    Path("metrics/evaluate.json").write_text('{"champion": "train", "models": {"train": {}}}')
    Path("models/train/record.json").write_text("{}")
    np.save("models/ensemble/validation.npy", np.zeros((1, 2)))
    # What is measured and written otherwise has its own tests.
    monkeypatch.setattr(faces, "load", lambda path: None)
    monkeypatch.setattr(models, "load", lambda folder: None)
    monkeypatch.setattr(models, "use_backend", lambda name: None)
    monkeypatch.setattr(champion, "calibrate", lambda *given: None)
    made = champion.Exported({"arch": "compact"}, {}, {})
    monkeypatch.setattr(champion, "export", lambda *given: made)
    given = params.load(ROOT / "params.yaml")
    data = given.data.model_copy(update=changes)
    stage["main"](SimpleNamespace(data=data, seed=1))
    card = json.loads(Path("models/export/card.json").read_text())
    assert card == {"arch": "compact", "drawn": drawn}
