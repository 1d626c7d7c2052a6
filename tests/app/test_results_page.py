"""The page «Pipeline results» on the files that the repository holds, and on broken ones."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import encoded

pytest.importorskip("streamlit", reason="Streamlit is not installed")
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A project with the committed numbers and charts, and no pictures of faces."""
    monkeypatch.chdir(tmp_path)
    for folder in ("metrics", "reports"):
        shutil.copytree(ROOT / folder, folder)
    return tmp_path


def page() -> AppTest:
    app = AppTest.from_string("from mien.app import results_page\nresults_page.show()").run(
        timeout=60
    )
    assert not app.exception
    return app


def test_the_leaderboard_shows_each_model_and_marks_the_champion(room):
    app = page()
    table = pd.read_csv("reports/evaluate/leaderboard.csv")
    champion = json.loads(Path("metrics/evaluate.json").read_text())["champion"]
    shown = app.table[0].value
    assert [name.strip("*").split("*")[0] for name in shown.index] == [*table["model"]]
    assert [name for name in shown.index if "(champion)" in name] == [f"**{champion}** (champion)"]
    firsts = [float(cell.split()[0]) for cell in shown["macro F1, test"]]
    assert firsts == pytest.approx(table["test_macro_f1"], abs=0.0005)


def test_the_numbers_are_those_of_the_chosen_model(room):
    app = page()
    scores = json.loads(Path("metrics/evaluate.json").read_text())["models"]
    for name in app.selectbox[0].options:
        app.selectbox[0].set_value(name).run(timeout=60)
        told = [float(one.value) for one in app.metric]
        keys = ("accuracy", "macro_f1", "roc_auc")
        assert told == pytest.approx([scores[name][key] for key in keys], abs=0.0005)
        assert app.table[1].value.to_numpy().tolist() == scores[name]["confusion"]
        assert f"data/pictures/evaluate/{name}/mistakes.png" in " ".join(
            one.value for one in app.caption
        )


def test_the_audit_tells_what_was_found_and_dropped(room):
    audit = json.loads(Path("metrics/audit.json").read_text())
    table = page().table[-1].value
    assert table["dropped"].sum() == audit["dropped"]
    assert table.loc["blank", "found"] == audit["blank"]
    assert table.loc["near duplicates", "found"] == audit["near_duplicates"]["images"]


def test_pictures_of_faces_are_shown_where_they_are(room):
    champion = json.loads(Path("metrics/evaluate.json").read_text())["champion"]
    before = len(page().image)
    picture = Path(f"data/pictures/evaluate/{champion}/mistakes.png")
    picture.parent.mkdir(parents=True)
    picture.write_bytes(encoded(np.zeros((8, 8), np.uint8)))
    app = page()
    assert len(app.image) == before + 1
    assert not [one for one in app.caption if str(picture) in one.value]


def test_what_is_missing_or_broken_is_one_line_and_the_rest_is_shown(room):
    Path("metrics/audit.json").unlink()
    Path("reports/evaluate/leaderboard.csv").write_text("model\n")
    app = page()
    assert [one.value for one in app.warning] == [
        "`metrics/audit.json` is missing: run `dvc repro` and load this page again."
    ]
    assert len(app.metric) == 3
    Path("metrics/evaluate.json").write_text('{"champion": ')
    app = page()
    assert {one.value for one in app.error} == {
        "The files are broken or from another version: run `dvc repro`."
    }


def test_an_empty_folder_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(page().warning) == 6


def test_of_many_models_the_learning_curves_of_the_best_are_shown_first(room):
    assert not page().multiselect
    curves, board = (Path(f"reports/evaluate/{n}.csv") for n in ("learning_curves", "leaderboard"))
    names = [f"tune_net_{place}" for place in range(8)]
    for file in (curves, board):
        table = pd.read_csv(file)
        one = table[table["model"] == "train"]
        pd.concat([one.assign(model=name) for name in names]).to_csv(file, index=False)
    app = page()
    chosen = app.multiselect(key="curves")
    assert (chosen.options, chosen.value) == (names, names[:5])
    # Also none may be chosen.
    assert not chosen.set_value([]).run(timeout=60).exception
