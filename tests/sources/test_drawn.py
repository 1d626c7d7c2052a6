"""The drawn sample: the same recipe draws the same bytes, and its faults are really there."""

import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from mien.errors import SourceError
from mien.sources import drawn
from mien.sources.items import Item

SAMPLE = Path(__file__).parents[2] / "data/sample"
NONE = {"same_split": 0, "other_split": 0, "other_label": 0}


def recipe(**changes: Any) -> dict[str, Any]:
    """Return the sample's recipe with few pictures, no faults, and `changes`."""
    values = yaml.safe_load((SAMPLE / "recipe.yaml").read_text())
    counts = {"happy": 6, "neutral": 5, "sad": 5, "surprise": 4}
    values["splits"] = {"train": counts, "validation": counts, "test": counts}
    values["faults"] = {
        key: NONE if isinstance(value, dict) else 0 for key, value in values["faults"].items()
    }
    return values | changes


def drawn_from(values: dict[str, Any], folder: Path) -> list[Item]:
    folder.mkdir(exist_ok=True)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(values))
    return list(drawn.items(folder))


def with_faults(folder: Path, **faults: Any) -> list[Item]:
    values = recipe()
    values["faults"] |= faults
    return drawn_from(values, folder)


def grey(item: Item) -> np.ndarray | None:
    if not item.data:
        return None
    return cv2.imdecode(np.frombuffer(item.data, np.uint8), cv2.IMREAD_GRAYSCALE)


def digest(items: list[Item]) -> str:
    return hashlib.sha256(b"".join(item.name.encode() + item.data for item in items)).hexdigest()


def pairs(items: list[Item]) -> list[tuple[Item, Item]]:
    """Return the pairs of items with equal grey pixels."""
    seen: dict[bytes, Item] = {}
    found = []
    for item in items:
        pixels = grey(item)
        assert pixels is not None
        if (key := pixels.tobytes()) in seen:
            found.append((seen[key], item))
        seen[key] = item
    return found


def test_the_same_recipe_draws_the_same_bytes_in_a_fresh_process(tmp_path):
    here = digest(drawn_from(recipe(), tmp_path))
    script = (
        "import hashlib, pathlib, sys; from mien.sources import drawn;"
        "items = drawn.items(pathlib.Path(sys.argv[1]));"
        "data = b''.join(item.name.encode() + item.data for item in items);"
        "print(hashlib.sha256(data).hexdigest())"
    )
    there = subprocess.run(
        [sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True
    )
    assert there.stdout.strip() == here


def test_another_seed_draws_other_faces(tmp_path):
    one = drawn_from(recipe(seed=1), tmp_path / "one")
    two = drawn_from(recipe(seed=2), tmp_path / "two")
    assert not {item.data for item in one} & {item.data for item in two}


def test_every_class_of_every_split_has_the_number_asked(tmp_path):
    values = recipe()
    items = drawn_from(values, tmp_path)
    found: dict[str, Counter[str]] = {split: Counter() for split in values["splits"]}
    for item in items:
        found[str(item.split)][item.label] += 1
        assert item.name.startswith(f"{item.split}/{item.label}/")
    assert found == values["splits"]
    assert [item.name for item in items] == sorted({item.name for item in items})


def test_pictures_are_grey_48_pixels_and_differ(tmp_path):
    items = drawn_from(recipe(), tmp_path)
    for item in items:
        pixels = cv2.imdecode(np.frombuffer(item.data, np.uint8), cv2.IMREAD_UNCHANGED)
        assert pixels.shape == (48, 48)
        assert pixels.std() > 1
    assert not pairs(items)


@pytest.mark.parametrize(
    ("fault", "shows"),
    [
        ("unreadable", lambda pixels: pixels is None),
        ("blank", lambda pixels: pixels is not None and pixels.std() < 1),
        ("dark", lambda pixels: pixels is not None and pixels.std() >= 1 and pixels.mean() < 25),
        ("bright", lambda pixels: pixels is not None and pixels.std() >= 1 and pixels.mean() > 235),
        ("other_size", lambda pixels: pixels is not None and pixels.shape != (48, 48)),
    ],
)
def test_a_fault_shows_in_as_many_pictures_as_asked(tmp_path, fault, shows):
    items = with_faults(tmp_path, **{fault: 7})
    assert sum(bool(shows(grey(item))) for item in items) == 7


def test_blurred_pictures_have_lost_their_edges(tmp_path):
    def edges(items: list[Item]) -> list[float]:
        return [float(cv2.Laplacian(grey(item), cv2.CV_64F).var()) for item in items]

    sharp = edges(with_faults(tmp_path / "sharp"))
    blurred = edges(with_faults(tmp_path / "blurred", blurred=9))
    assert sum(value < min(sharp) / 2 for value in blurred) == 9


def test_colour_pictures_have_three_different_channels(tmp_path):
    items = with_faults(tmp_path, colour=7)
    images = [
        cv2.imdecode(np.frombuffer(item.data, np.uint8), cv2.IMREAD_UNCHANGED) for item in items
    ]
    colour = [image for image in images if image.ndim == 3]
    assert len(colour) == 7
    assert all(np.ptp(image.mean(axis=(0, 1))) > 10 for image in colour)


def test_exact_copies_have_equal_pixels_sometimes_in_other_bytes(tmp_path):
    asked = {"same_split": 8, "other_split": 7, "other_label": 5}
    found = pairs(with_faults(tmp_path, exact_copies=asked))
    assert sum(one.split == two.split and one.label == two.label for one, two in found) == 8
    assert sum(one.split != two.split and one.label == two.label for one, two in found) == 7
    assert sum(one.split == two.split and one.label != two.label for one, two in found) == 5
    assert {one.data == two.data for one, two in found} == {True, False}


def test_near_copies_resemble_their_originals_and_equal_none(tmp_path):
    asked = {"same_split": 8, "other_split": 7, "other_label": 5}
    plain, copied = (
        with_faults(tmp_path / "plain"),
        with_faults(tmp_path / "near", near_copies=asked),
    )
    assert not pairs(copied)
    changed = [new for old, new in zip(plain, copied, strict=True) if old.data != new.data]
    assert len(changed) == 20
    for copy in changed:
        others = [smooth(other) for other in copied if other is not copy]
        assert max(np.corrcoef(smooth(copy), other)[0, 1] for other in others) > 0.95


def smooth(item: Item) -> np.ndarray:
    """Return the pixels without noise, which cropping by a pixel changes most."""
    return cv2.GaussianBlur(grey(item), (0, 0), 2).ravel()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sed": 1}, r"sed: Extra inputs are not permitted"),
        ({"seed": "x"}, r"seed: .*integer.*'x'"),
        ({"jpeg": 1.5}, r"jpeg: .*less than or equal to 1, got 1\.5"),
        ({"intensity": [1, 0]}, r"intensity: must be \[low, high\], got \[1, 0\]"),
        ({"expressions": {"happy": [{"smile": 1}]}}, r"unknown key 'smile'; one of brow_height"),
        ({"expressions": {"happy": []}}, r"expressions\.happy: .*at least 1 item"),
        ({"look": {"yaw": [0, 1]}}, r"look: lacks background, .*blur"),
        ({"splits": {"train": {"angry": 3}}}, r"splits\.train: 'angry' is none of the expressions"),
        ({"splits": {"training": {"happy": 3}}}, r"splits\.training.*'train', 'validation' or"),
        ({"quality": [90, 70]}, r"quality: must be \[low, high\], got \[90, 70\]"),
    ],
)
def test_a_wrong_recipe_ends_in_one_line(tmp_path, change, message):
    with pytest.raises(SourceError, match=message) as caught:
        drawn_from(recipe(**change), tmp_path)
    assert "recipe.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_size_of_nothing_is_refused(tmp_path):
    values = recipe()
    values["look"]["head_width"] = [0, 0.5]
    with pytest.raises(SourceError, match=r"look\.head_width must be at least 0\.1, got 0"):
        drawn_from(values, tmp_path)


@pytest.mark.parametrize(
    "faults",
    [{"dark": 61}, {"exact_copies": NONE | {"same_split": 40}}],
)
def test_more_faults_than_pictures_are_refused(tmp_path, faults):
    with pytest.raises(SourceError, match="faults: more than the 60 pictures have room for"):
        with_faults(tmp_path, **faults)


def test_copies_across_splits_need_a_second_split(tmp_path):
    values = recipe(splits={"train": {"happy": 9}})
    values["faults"]["near_copies"] = NONE | {"other_split": 1}
    with pytest.raises(SourceError, match="faults: more than the 9 pictures"):
        drawn_from(values, tmp_path)


def test_a_missing_or_torn_recipe_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"recipe\.yaml cannot be read"):
        list(drawn.items(tmp_path))
    (tmp_path / "recipe.yaml").write_text("seed: [1")
    with pytest.raises(SourceError, match=r"recipe\.yaml cannot be read") as caught:
        list(drawn.items(tmp_path))
    assert "\n" not in str(caught.value)


def test_the_sample_itself_is_a_good_recipe():
    """All of it is planned before the first picture is drawn."""
    first = next(drawn.items(SAMPLE))
    assert (first.name.split(".")[0], first.label, first.split) == (
        "test/happy/0001",
        "happy",
        "test",
    )
    assert grey(first) is not None
