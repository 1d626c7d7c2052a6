"""Charts are PNG files of the same bytes for the same numbers; sheets are grids in order."""

import json
import os
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mien import figures
from mien.labels import EXPRESSIONS

ROOT = Path(__file__).parents[1]
# What is seen of linear RGB, by Machado, Oliveira and Fernandes (2009), at severity 1.
SEEN = {
    "by most": np.eye(3),
    "without red cones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "without green cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "without blue cones": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(colour: str) -> np.ndarray:
    """Return the linear red, green and blue of sRGB, 0 to 1."""
    values = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(values: np.ndarray) -> np.ndarray:
    """Return the colour of linear RGB in CIELAB, where equal distances look equal."""
    values = np.clip(values, 0, 1)
    gamma = np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)
    return cv2.cvtColor(np.float32([[gamma]]), cv2.COLOR_RGB2LAB)[0, 0]


@pytest.mark.parametrize("eyes", SEEN)
@pytest.mark.parametrize("palette", [tuple(figures.KNOWN.values()), figures.OTHERS])
def test_colours_are_told_apart_by_all_eyes_and_on_white(palette, eyes):
    seen = [lab(np.array(SEEN[eyes]) @ linear(colour)) for colour in palette]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 15
    luminances = [linear(colour) @ [0.2126, 0.7152, 0.0722] for colour in palette]
    # Contrast as defined by WCAG 2.
    assert min(1.05 / (luminance + 0.05) for luminance in luminances) > 2


def test_a_class_keeps_its_colour_whatever_stands_beside_it():
    assert {*figures.KNOWN} == {*EXPRESSIONS}
    assert figures.colours(("sad", "happy"))["sad"] == figures.colours(("angry", "sad"))["sad"]
    named, turned = (
        figures.colours(names) for names in (("zebra", "sad", "ape"), ("ape", "zebra"))
    )
    assert [named[name] for name in turned] == [*turned.values()] == [*figures.OTHERS[:2]]
    many = figures.colours([f"class {place}" for place in range(12)])
    assert {*many.values()} == {*figures.OTHERS}


def test_the_live_page_and_dvc_s_plots_have_the_same_colours():
    script = (ROOT / "live/live.js").read_text()
    assert dict(re.findall(r'(\w+): "(#\w{6})"', script)) == figures.KNOWN
    steps = json.loads((ROOT / ".dvc/plots/model_curves.json").read_text())["transform"]
    known, others = (step["calculate"] for step in steps if "#" in step.get("calculate", ""))
    assert dict(re.findall(r"(\w+): '(#\w{6})'", known)) == figures.KNOWN
    assert tuple(re.findall(r"#\w{6}", others)) == figures.OTHERS


DRAW = """
figure, axes = figures.axes(3, 2)
axes.plot([1, 2, 3], [4, 6, 5], label="a")
axes.legend()
figures.save(figure, Path(path))
"""
HEAD = "import sys; from pathlib import Path; from mien import figures; path = sys.argv[1]"


def test_another_process_draws_the_same_bytes(tmp_path):
    here, there = (tmp_path / "new" / name for name in ("here.png", "there.png"))
    exec(DRAW, {"figures": figures, "Path": Path, "path": here})
    command = [sys.executable, "-c", f"{HEAD}{DRAW}", there]
    subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": "7"}, check=True)
    assert here.read_bytes() == there.read_bytes()


def test_a_chart_says_nothing_of_the_software(tmp_path):
    figure, _ = figures.axes(3, 2)
    figures.save(figure, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (360, 240)
        assert set(image.info) <= {"dpi"}


def drawn(tmp_path, images: list[np.ndarray], columns: int, title: str = "") -> np.ndarray:
    """Return the pixels of a sheet, RGB."""
    figure = figures.contact_sheet(images, [""] * len(images), columns, title)
    figures.save(figure, tmp_path / "sheet.png")
    return cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1]


def middles(count: int, columns: int) -> list[tuple[int, int]]:
    """Return the row and the column of the middle of each picture, at 120 pixels an inch."""
    return [
        (round(120 * (0.7 + row * 1.55 + 0.6)), round(120 * (0.1 + column * 1.3 + 0.6)))
        for row, column in (divmod(place, columns) for place in range(count))
    ]


def test_pictures_stand_in_rows_from_left_to_right_in_their_own_greys(tmp_path):
    levels = [0, 60, 120, 180, 240]
    sheet = drawn(tmp_path, [np.full((9, 9), level, np.uint8) for level in levels], 2)
    found = [sheet[place].tolist() for place in middles(5, 2)]
    # The palette has 256 greys: off by one at most.
    np.testing.assert_allclose(found, np.repeat(levels, 3).reshape(5, 3), atol=1)
    # Where a sixth would stand there is paper.
    assert sheet[middles(6, 2)[5]].tolist() == [255, 255, 255]


def test_colours_and_proportions_stay(tmp_path):
    tall = np.full((20, 10, 3), (200, 30, 90), np.uint8)
    sheet = drawn(tmp_path, [tall], 1)
    row, column = middles(1, 1)[0]
    # Half as wide as it is high, at the left.
    assert sheet[row, column - 36].tolist() == [200, 30, 90]
    assert sheet[row, column + 36].tolist() == [255, 255, 255]


def test_each_caption_stands_with_its_picture():
    images = [np.zeros((4, 4), np.uint8)] * 3
    (axes,) = figures.contact_sheet(images, ["a", "b\nc", "d"], 2, "all").axes
    told = [(text.get_text(), *text.get_position()) for text in axes.texts]
    assert [text for text, *_ in told] == ["all", "a", "b\nc", "d"]
    for (_, x, y), image in zip(told[1:], axes.images, strict=True):
        left, right, bottom, top = image.get_extent()
        assert (left + right) / 2 == pytest.approx(x)
        assert top - 0.1 < y < top < bottom


def test_a_caption_for_each_picture_is_needed():
    with pytest.raises(ValueError, match="zip"):
        figures.contact_sheet([np.zeros((4, 4), np.uint8)] * 2, ["a"], 2)


def test_a_sheet_of_nothing_is_drawn(tmp_path):
    assert drawn(tmp_path, [], 3, "nothing found").min() < 100
