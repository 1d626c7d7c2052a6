"""The contract: the same pictures in any form give the same items."""

import tarfile
import zipfile

import cv2
import numpy as np
import pytest
from conftest import CLASSES, drawn_images, encoded

from mien import sources
from mien.errors import SourceError

SPLITS = ("train", "validation", "test")
USAGES = ("Training", "PublicTest", "PrivateTest")
CODE = {"happy": 3, "neutral": 6, "sad": 4, "surprise": 5}


def pictures():
    """Return (path, label, split, image) of 24 pictures, two of each class in each split."""
    images, codes = drawn_images(24)
    splits = [SPLITS[row // 4 % 3] for row in range(24)]
    labels = [CLASSES[code] for code in codes]
    return [
        (f"{split}/{label}/{row:02}.png", label, split, image)
        for row, (label, split, image) in enumerate(zip(labels, splits, images, strict=True))
    ]


def folder(path, chosen):
    for name, _, _, image in chosen:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(encoded(image))
    return path


def zipped(path, chosen):
    with zipfile.ZipFile(path, "w") as target:
        for name, _, _, image in chosen:
            target.writestr(f"wrapping/{name}", encoded(image))
    return path


def tarred(path, chosen):
    with tarfile.open(path, "w:gz") as target:
        target.add(folder(path.with_name("for_tar"), chosen), "./faces")
    return path


def table(path, chosen, header):
    lines = [header]
    for _, label, split, image in chosen:
        values = {
            "emotion": str(CODE[label]),
            "Usage": USAGES[SPLITS.index(split)],
            "pixels": " ".join(map(str, image.ravel())),
        }
        lines.append(",".join(values[column.strip()] for column in header.split(",")))
    path.write_text("\n".join(lines))
    return path


def icml(path, chosen):
    return table(path, chosen, "emotion, Usage, pixels")


def fer2013(path, chosen):
    return table(path, chosen, "emotion,pixels,Usage")


def table_in_zip(path, chosen):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        target.write(icml(path.with_suffix(".csv"), chosen), "data/fer2013.csv")
    return path


def mixed(path, chosen):
    folder(path / "pictures", chosen[0::4])
    zipped(path / "a.zip", chosen[1::4])
    icml(path / "b.csv", chosen[2::4])
    fer2013(path / "c.csv", chosen[3::4])
    return path


FORMS = {
    "faces": folder,
    "faces.zip": zipped,
    "faces.tar.gz": tarred,
    "icml_face_data.csv": icml,
    "fer2013.csv": fer2013,
    "kaggle.zip": table_in_zip,
    "several": mixed,
}


def content(items):
    """Return what does not depend on the form: label, split and pixels, sorted."""
    return sorted(
        (
            item.label,
            item.split,
            cv2.imdecode(np.frombuffer(item.data, np.uint8), cv2.IMREAD_UNCHANGED).tobytes(),
        )
        for item in items
    )


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_items(tmp_path, form):
    chosen = pictures()
    with sources.opened(FORMS[form](tmp_path / form, chosen)) as source:
        items = list(source)
    assert len(items) == len(source) == len(chosen)
    names = [item.name for item in items]
    assert names == sorted(set(names))
    assert content(items) == sorted((lb, sp, image.tobytes()) for _, lb, sp, image in chosen)


def test_picture_files_are_passed_on_untouched(tmp_path):
    for label in ("happy", "sad"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "broken.jpg").write_bytes(f"no picture, {label}".encode())
    with sources.opened(tmp_path) as source:
        assert [item.data for item in source] == [b"no picture, happy", b"no picture, sad"]


def test_without_private_test_the_public_one_is_the_test_split(tmp_path):
    chosen = [one for one in pictures() if one[2] != "test"]
    with sources.opened(icml(tmp_path / "a.csv", chosen)) as source:
        assert {item.split for item in source} == {"train", "test"}
    # The whole set decides, so that one source has one protocol.
    for usage in ("PublicTest", "PrivateTest"):
        folder(tmp_path / "set", [(f"{usage}/happy/1.png", *chosen[0][1:])])
    icml(tmp_path / "set/a.csv", chosen)
    with sources.opened(tmp_path / "set") as source:
        assert {item.split for item in source} == {"train", "validation", "test"}


def test_a_folder_with_a_recipe_is_drawn(tmp_path, monkeypatch):
    (tmp_path / "recipe.yaml").write_text("{}")
    drawn = [sources.Item(name, "happy", None, b"x") for name in ("b", "a")]
    monkeypatch.setattr(sources.drawn, "items", lambda path: iter(drawn))
    with sources.opened(tmp_path) as source:
        assert list(source) == drawn[::-1]


def refused(path):
    """Return the one line that refuses the source at `path`."""
    with pytest.raises(SourceError, match=r"^\S.*$") as caught, sources.opened(path):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_source_is_named(tmp_path):
    line = refused(tmp_path / "nowhere")
    assert "nowhere does not exist: set data.source to a folder, zip or tar" in line


def test_a_source_without_pictures_says_what_was_found(tmp_path):
    for name in "abcd":
        (tmp_path / f"{name}.txt").write_text("x")
    line = refused(tmp_path)
    assert "holds no image: expected a folder, zip or tar of images" in line
    assert "got 4 other files: 'a.txt', 'b.txt', 'c.txt' and 1 more" in line
    (tmp_path / "empty.csv").write_text("emotion,pixels\n")
    assert "is no source (tables without a row)" in refused(tmp_path / "empty.csv")


def test_a_file_of_another_kind_says_how_it_begins(tmp_path):
    (tmp_path / "page").write_text("<!DOCTYPE html>")
    assert "got a file that begins b'<!DOCTYPE html>'" in refused(tmp_path / "page")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("other", ["happy/1.png", "./happy//1.png"])
def test_two_pictures_of_one_name_are_refused(tmp_path, other):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as target:
        target.writestr("sad/1.png", b"z")
        target.writestr("happy/1.png", b"x")
        target.writestr(other, b"y")
    assert "holds two pictures named 'happy/1.png'" in refused(tmp_path / "a.zip")


def test_a_name_that_is_no_text_is_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as target:
        target.addfile(tarfile.TarInfo("happy/\udcff.png"))
        target.addfile(tarfile.TarInfo("sad/1.png"))
    assert "is no UTF-8: rename it" in refused(tmp_path / "a.tar")
