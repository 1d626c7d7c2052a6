"""What is on the first screen, the examples, videos and downloads of the app."""

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from conftest import served
from PIL import Image

pytest.importorskip("streamlit", reason="Streamlit is not installed")
from streamlit.testing.v1 import AppTest

from mien.app import photos_page, sheets
from mien.crops.detection import YuNet
from mien.figures import colours
from mien.inference import models
from mien.inference.classify import Classifier
from mien.inference.reader import Reader

ROOT = Path(__file__).parents[2]
MAIN = ROOT / "src/mien/app/main.py"
EXAMPLES = ROOT / "src/mien/app/examples"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(models.load("fer7"), YuNet())


def page(tmp_path, monkeypatch) -> AppTest:
    monkeypatch.chdir(tmp_path)
    photos_page._loaded.clear()
    app = AppTest.from_file(MAIN, default_timeout=60).run()
    assert not app.exception
    return app


def clicked(app: AppTest, label: str) -> AppTest:
    next(one for one in app.button if one.label == label).click().run()
    assert not app.exception
    return app


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("One person", "**1 photo, 1 face**"),
        ("Six persons", "**1 photo, 6 faces**"),
        ("A video", "**1 video, 1 face**"),
    ],
)
def test_a_click_on_an_example_shows_it(tmp_path, monkeypatch, label, told):
    app = clicked(page(tmp_path, monkeypatch), label)
    assert told in [one.value for one in app.markdown]
    assert [one.label for one in app.get("download_button")] == [
        "Annotated copy",
        "Answers of fer7 (CSV)",
    ]
    # What is uploaded afterwards takes its place.
    app.file_uploader[0].set_value(("a.png", b"<html>", "image/png")).run()
    assert "**0 photos, 0 faces, 1 unreadable**" in [one.value for one in app.markdown]


def test_the_examples_are_what_the_script_draws(tmp_path):
    subprocess.run([sys.executable, str(ROOT / "scripts/examples.py"), str(tmp_path)], check=True)
    for name in ("one.jpg", "six.jpg"):
        drawn, kept = (cv2.imread(str(folder / name)) for folder in (tmp_path, EXAMPLES))
        assert np.abs(drawn.astype(int) - kept).max() <= 3
    assert {path.name for path in EXAMPLES.iterdir()} == {*photos_page.EXAMPLES.values()}


def test_a_video_is_read_over_time_and_its_copy_is_a_video(reader, tmp_path):
    sheet = sheets.read("clip.mp4", (EXAMPLES / "clip.mp4").read_bytes(), reader)
    assert [frame.time for frame in sheet.frames] == pytest.approx(np.arange(10) / 2, abs=0.01)
    (track,) = sheets.timelines(sheet).values()
    assert track.columns.tolist() == list(reader.classes)
    np.testing.assert_allclose(track.sum(axis=1), 1, atol=1e-5)
    # At 1 s and 1.5 s the drawn person smiles, at 3 s it is surprised.
    assert track.idxmax(axis=1).iloc[[2, 3, 6]].tolist() == ["happy", "happy", "surprise"]
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(sheets.annotated(sheet, 0.5))
    video = cv2.VideoCapture(str(copy))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 10
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(1 / sheets.EVERY)
    rows = pd.read_csv(io.BytesIO(sheets.table(sheet.frames, reader.classes)))
    assert rows["track"].tolist() == [1] * 10


def test_what_is_no_video_or_too_long_is_said_in_words(reader, monkeypatch):
    data = (EXAMPLES / "clip.mp4").read_bytes()
    assert sheets.read("a.mp4", b"no video", reader).reading.error.startswith("no video that can")
    monkeypatch.setattr(sheets, "FRAMES", 4)
    assert sheets.read("a.mp4", data, reader).reading.error == (
        "longer than 2 s: cut it, or use `mien predict`"
    )


def test_the_annotated_copy_has_its_boxes_in_the_place_of_the_faces():
    large = np.full((2000, 3000, 3), 90, np.uint8)

    class Whole(Classifier):
        def __init__(self):
            self.classes, self.size, self.drawn = ("happy", "sad"), 48, False

        def __call__(self, faces):
            return np.tile(np.float32([0.9, 0.1]), (len(faces), 1))

    from drawn_photos import detected

    reader = Reader(Whole(), lambda photo: [detected((1500, 1000, 600, 600))])
    data = cv2.imencode(".png", large)[1].tobytes()
    copy = Image.open(io.BytesIO(sheets.annotated(sheets.read("a.png", data, reader), 0)))
    assert copy.size == (sheets.SIDE, round(sheets.SIDE * 2 / 3))
    pixels = np.asarray(copy).astype(int)
    share = sheets.SIDE / 3000
    red_green_blue = [int(colours(["happy"])["happy"][at : at + 2], 16) for at in (1, 3, 5)]
    box = (np.abs(pixels - red_green_blue) < 40).all(axis=-1)
    # On the left side of the box, at the height of its middle.
    columns = np.flatnonzero(box[round(1450 * share)])
    assert columns.min() == pytest.approx(1500 * share, abs=4)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    room = tmp_path_factory.mktemp("room")
    for name in ("metrics", "reports"):
        shutil.copytree(ROOT / name, room / name)
    models_of = ["ensemble", "train"]
    score = {"n": 60} | {
        f"{name}{end}": 0.8 for name in ("accuracy", "macro_f1") for end in ("", "_low", "_high")
    }
    gap = {"difference": 0.1, "difference_low": 0.0, "difference_high": 0.2, "best": "a"}
    found = {"groups": {"a": score, "b": score}, "gap": gap | {"worst": "b"}}
    groups = {"age": dict.fromkeys(models_of, found)}
    (room / "metrics/groups.json").write_text(json.dumps(groups))
    command = ["-m", "streamlit", "run", str(MAIN), "--server.port", "PORT"]
    with served([sys.executable, *command], room) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_after_an_upload_the_photo_and_its_bars_are_on_the_first_screen(
    address, browser, width, height
):
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    page.set_default_timeout(30_000)
    page.goto(address)
    page.locator("input[type=file]").set_input_files(EXAMPLES / "six.jpg")
    page.get_by_text("1 photo, 6 faces").wait_for()
    photo = page.get_by_alt_text("The photo six.jpg, 6 faces").bounding_box()
    bars = page.locator(".mien-bars").first.bounding_box()
    assert photo["y"] > 0
    assert photo["x"] >= 0
    assert photo["x"] + photo["width"] <= width
    assert photo["width"] > 300
    assert bars["y"] + bars["height"] <= height
    assert page.locator(".mien-box").count() == 6
    assert re.fullmatch(r"\d \w+", page.locator(".mien-box").first.inner_text())
    # Four of the seven bars of each face are folded away until they are asked for.
    fold = page.locator(".mien-face details").first
    assert not fold.locator(".mien-bars").is_visible()
    fold.locator("summary").click()
    assert fold.locator(".mien-bars").is_visible()


def test_the_results_have_curves_robustness_groups_and_the_card(address, browser):
    page = browser.new_context(
        color_scheme="dark", viewport={"width": 1280, "height": 900}
    ).new_page()
    page.set_default_timeout(30_000)
    page.goto(f"{address}/results")
    page.get_by_text("What to know before the champion is used").click()
    page.get_by_role("heading", name="Intended use").wait_for()
    for heading in ("Learning", "Robustness", "Groups of persons"):
        page.get_by_role("heading", name=heading).wait_for()
    page.get_by_text("The largest gap in accuracy: 0.100 (0.000 to 0.200), from a to b.").wait_for()
    charts = page.locator('[class*="st-key-chart"] img')
    assert charts.count() >= 6
    # Charts are dark on a dark page.
    style = "image => getComputedStyle(image).filter"
    assert "invert" in charts.first.evaluate(style)
