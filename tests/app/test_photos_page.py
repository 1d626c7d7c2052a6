"""The page «Read photos», run by Streamlit's own test frame with a real, tiny model."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASSES, encoded
from drawn_photos import model, photo

pytest.importorskip("streamlit", reason="Streamlit is not installed")
from streamlit.testing.v1 import AppTest

from mien import cli
from mien.app import photos_page, sheets
from mien.crops import detection
from mien.inference import models
from mien.inference.reader import Face, Reader

MAIN = Path(sheets.__file__).with_name("main.py")
TWO = photo(400, 640, (40, 30, 160, 0), (330, 120, 240, 0))
HEIC = b"\0\0\0\x18ftypheic" + bytes(100)


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A project with an exported model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(models, "PRETRAINED", tmp_path / "pretrained")
    Path("pretrained").mkdir()
    Path("models/export").mkdir(parents=True)
    Path("models/export/model.onnx").write_bytes(model())
    photos_page._loaded.clear()
    return tmp_path


def page() -> AppTest:
    app = AppTest.from_file(MAIN, default_timeout=30).run()
    assert not app.exception
    return app


def uploaded(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    app.file_uploader[0].set_value([(name, data, "image/png") for name, data in files]).run()
    assert not app.exception
    return app


def drawn(app: AppTest) -> list[str]:
    """Return what is drawn of each photo by each model."""
    return [one.value for one in app.html if 'class="mien-sheet"' in one.value]


def said(app: AppTest) -> list[str]:
    """Return the errors, without the marks that keep Markdown from reading them."""
    return [re.sub(r"\\(.)", r"\1", one.value) for one in app.error]


def read() -> list[Face]:
    """Return what the model reads in TWO without the page."""
    return Reader(models.load("models/export"), detection.YuNet()).read(TWO)


def test_a_photo_has_a_box_and_bars_for_each_face(room):
    app = uploaded(page(), ("two.png", encoded(TWO)))
    app.slider(key="confidence").set_value(0).run()
    (shown,) = drawn(app)
    faces = read()
    assert len(faces) == 2
    boxes = re.findall(r"left:([\d.]+)%;top:([\d.]+)%;width:([\d.]+)%;height:([\d.]+)%", shown)
    sides = np.array([640, 400, 640, 400])
    found = np.array(boxes, float) * sides / 100
    assert found == pytest.approx(np.array([face.box for face in faces]), abs=0.01)
    bars = re.findall(r"<span>([a-z]+)</span>.*?width:([\d.]+)%.*?>(\d+)%<", shown)
    expected = []
    for face in faces:
        # Three at once, the likeliest first; all of them, in the model's order, folded away.
        likely = sorted(face.probabilities.items(), key=lambda item: -item[1])
        expected += [*likely[:3], *face.probabilities.items()]
    assert shown.count("<details><summary>all 4</summary>") == 2
    assert [(label, float(width)) for label, width, _ in bars] == [
        (label, pytest.approx(100 * share, abs=0.01)) for label, share in expected
    ]
    assert [int(said) for *_, said in bars] == [round(100 * share) for _, share in expected]
    answers = re.findall(r'mien-answer">([^<]*)<', shown)
    assert answers == [
        f"{number} {face.emotion} {face.confidence:.0%}" for number, face in enumerate(faces, 1)
    ]
    labels = re.findall(r"<span>(\d \w+)</span></div>", shown)
    assert labels == [f"{number} {face.emotion}" for number, face in enumerate(faces, 1)]


def test_below_the_confidence_asked_for_the_answer_is_unsure(room):
    app = uploaded(page(), ("two.png", encoded(TWO)))
    shares = [100 * face.confidence for face in read()]
    for percent in (0, 50, 100):
        app.slider(key="confidence").set_value(percent).run()
        (shown,) = drawn(app)
        assert shown.count('mien-unsure">unsure') == sum(share < percent for share in shares)


def test_a_photo_is_read_once_and_forgotten_when_it_is_taken_away(room, monkeypatch):
    names = []
    true = sheets.read
    monkeypatch.setattr(sheets, "read", lambda name, *rest: names.append(name) or true(name, *rest))
    app = uploaded(page(), ("two.png", encoded(TWO)), ("one.png", encoded(TWO)))
    app.slider(key="confidence").set_value(90).run()
    assert names == ["two.png", "one.png"]
    assert len(app.session_state["sheets"]) == 2
    uploaded(app)
    assert drawn(app) == []
    assert not app.session_state["sheets"]


@pytest.mark.parametrize("classes", [CLASSES, CLASSES[::-1]])
def test_two_models_have_a_row_a_face_and_differences_are_marked(room, classes):
    Path("pretrained/fer4.onnx").write_bytes(model(classes))
    app = uploaded(page(), ("two.png", encoded(TWO)))
    app.slider(key="confidence").set_value(0).run()
    assert [one.value for one in app.selectbox] == ["fer4", None]
    app.selectbox[1].set_value("models/export").run()
    (shown,) = drawn(app)
    rows = re.findall(r"<tr( class=.mien-differs.)?><td>(\d)</td>.*?</td>(.*?)</tr>", shown)
    others = Reader(models.load("pretrained/fer4.onnx"), detection.YuNet()).read(TWO)
    assert len(rows) == 2
    for number, (mark, told, cells) in enumerate(rows):
        pair = others[number], read()[number]
        assert told == str(number + 1)
        said = re.findall(r"<td>([^<]*)</td>", cells)
        assert said[:2] == [f"{face.emotion} {face.confidence:.0%}" for face in pair]
        differ = pair[0].emotion != pair[1].emotion
        assert (bool(mark), said[2]) == ((True, "≠ differ") if differ else (False, "agree"))
    assert {bool(mark) for mark, *_ in rows} == {classes != CLASSES}
    assert [one.label for one in app.download_button] == [
        "Annotated copy",
        r"Answers of fer4 (CSV)",
        r"Answers of models\/export (CSV)",
    ]


def test_a_model_exported_anew_is_the_one_that_reads(room):
    app = uploaded(page(), ("two.png", encoded(TWO)))
    Path("models/export/model.onnx").write_bytes(model(["a", "b", "c", "d"]))
    app.run()
    assert "<span>d</span>" in drawn(app)[0]


def test_heat_maps_come_with_the_switch(room):
    app = uploaded(page(), ("two.png", encoded(TWO)))
    assert not [one for one in app.html if "mien-heats" in one.value and "<style" not in one.value]
    app.toggle[0].set_value(True).run()
    (shown,) = [one.value for one in app.html if '<div class="mien-heats">' in one.value]
    assert shown.count("under the heat map for") == 2
    assert "speaks against the answer" in shown


def test_a_photo_of_the_camera_is_read(room):
    app = page()
    app.radio[0].set_value("Camera").run()
    app.camera_input[0].set_value(("taken.jpg", encoded(TWO, ".jpg"), "image/jpeg")).run()
    assert not app.exception
    assert len(drawn(app)) == 1


def test_what_cannot_be_read_is_one_line_and_the_rest_is_read(room):
    app = uploaded(
        page(),
        ("![](x) <b>.png", b"<html>"),
        ("two.png", encoded(TWO)),
        ("phone.heic", HEIC),
        ("empty.png", b""),
        ("wide.png", encoded(np.zeros((7000, 7200), np.uint8))),
    )
    assert said(app) == [
        "![](x) <b>.png cannot be read: no image; expected JPEG, PNG, WebP or the like.",
        "phone.heic cannot be read: HEIC is not read; convert it to JPEG or PNG.",
        "empty.png cannot be read: an empty file.",
        "wide.png cannot be read: 7200 by 7000 pixels, 50 megapixels; expected at most 50: make it "
        "smaller.",
    ]
    assert photos_page.plain("![](x) <b>") in app.error[0].value
    assert len(drawn(app)) == 1
    assert "**1 photo, 2 faces, 4 unreadable**" in [one.value for one in app.markdown]


def test_more_photos_than_are_read_at_a_time_are_counted(room):
    small = encoded(np.zeros((20, 20), np.uint8))
    app = uploaded(page(), *[(f"{number}.png", small) for number in range(sheets.MOST + 2)])
    assert [one.value for one in app.error] == [
        "22 files were given, and only the first 20 are read. Take some away."
    ]
    assert len(drawn(app)) == sheets.MOST
    assert all("No face found." in one for one in drawn(app))


def test_the_names_in_a_model_are_no_html(room):
    Path("models/export/model.onnx").write_bytes(model(["<script>", "b", "c", "d"]))
    (shown,) = drawn(uploaded(page(), ('"><img src=x>.png', encoded(TWO))))
    assert "<script>" not in shown
    assert "<img src=x>" not in shown


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("../secret.onnx", "../secret.onnx: no such model; expected models/export, models:/"),
        ("models:/mien@champion", "models:/mien@champion: no mlflow.db in "),
    ],
)
def test_a_model_that_is_not_there_is_one_line(room, monkeypatch, name, line):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if name.startswith("models:/"):
        pytest.importorskip("mlflow", reason="MLflow is not installed")
    # As if typed before: the test frame knows the options alone.
    app = AppTest.from_file(MAIN, default_timeout=30)
    app.session_state["other"] = name
    app.run()
    assert not app.exception
    (error,) = said(app)
    assert error.startswith(f"This model cannot be used. {line}")
    assert error.endswith(".")


def test_without_a_model_the_page_says_how_to_get_one(room):
    Path("models/export/model.onnx").unlink()
    app = uploaded(page(), ("two.png", encoded(TWO)))
    assert "No model is here. `make` trains one" in app.warning[0].value
    assert drawn(app) == []


def test_no_framework_is_imported():
    code = (
        "import sys; from mien.app import photos_page, results_page\n"
        "print({'keras', 'tensorflow', 'mlflow', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_the_table_is_what_the_command_writes(room):
    Path("two.png").write_bytes(encoded(TWO))
    Path("bad.png").write_bytes(b"<html>")
    confidence = np.mean([face.confidence for face in read()])
    reader = Reader(models.load("models/export"), detection.YuNet())
    readings = [
        sheets.abstaining(sheets.read(name, Path(name).read_bytes(), reader).reading, confidence)
        for name in ("two.png", "bad.png")
    ]
    with pytest.raises(SystemExit, match="2"):
        cli.main(
            ["predict", "two.png", "bad.png", "--model", "models/export", "--output", "told.csv",
             "--abstain", str(confidence)]
        )  # fmt: skip
    told = Path("told.csv").read_bytes()
    assert told.count(b"unsure") == 1
    assert sheets.table(readings, CLASSES) == told
