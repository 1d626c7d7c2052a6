"""A folder is one set of all that lies in it; links to folders are refused."""

import zipfile
from contextlib import ExitStack

import pytest

from mien.errors import SourceError
from mien.sources import folder
from sources.made_sets import face, put, read, spelt


def listed(path):
    with ExitStack() as stack:
        return {file.path: file.read() for file in folder.files(path, stack)}


def zipped(path, *names):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as target:
        for name in names:
            target.writestr(name, name)


def test_files_are_named_by_their_way_and_led_by_the_archive_they_come_from(tmp_path):
    put(tmp_path / "happy/1.jpg", b"x")
    zipped(tmp_path / "more/faces.zip", "happy/1.jpg")
    assert listed(tmp_path) == {"happy/1.jpg": b"x", "more/faces.zip/happy/1.jpg": b"happy/1.jpg"}


def test_archives_and_tables_take_their_split_from_where_they_lie(tmp_path):
    zipped(tmp_path / "train.zip", "happy/1.jpg", "sad/1.jpg")
    zipped(tmp_path / "test/faces.zip", "happy/1.jpg")
    zipped(tmp_path / "validation/both.zip", "train/happy/1.jpg")
    pixels = spelt(face("happy", None, 1))
    put(tmp_path / "test.csv", f"emotion,pixels\n3,{pixels}\n")
    _, items = read(tmp_path)
    assert {item.name: item.split for item in items} == {
        "train.zip/happy/1.jpg": "train",
        "train.zip/sad/1.jpg": "train",
        "test/faces.zip/happy/1.jpg": "test",
        "validation/both.zip/train/happy/1.jpg": "train",
        "test.csv:1": "test",
    }


def test_the_name_of_an_archive_is_no_class(tmp_path):
    zipped(tmp_path / "happy.zip", "1.jpg")
    zipped(tmp_path / "sad.zip", "1.jpg")
    with pytest.raises(SourceError, match="names no expression"):
        read(tmp_path)


def test_hidden_and_other_files_are_left_out_by_name(tmp_path):
    for label in ("happy", "sad"):
        put(tmp_path / label / "1.png", face(label, None, 1))
    others = [
        ".DS_Store",
        ".hidden/happy/2.jpg",
        "__MACOSX/happy/._1.jpg",
        "happy/.ipynb_checkpoints/1.jpg",
        "happy/Thumbs.db",
        "readme.txt",
    ]
    for other in others:
        put(tmp_path / other, b"nothing")
    source, _ = read(tmp_path)
    assert source.left_out == {"files of other kinds": others}


def test_a_link_to_a_file_is_its_content_one_to_a_folder_is_refused(tmp_path):
    put(tmp_path / "elsewhere/1.jpg", b"x")
    source = tmp_path / "source"
    source.mkdir()
    (source / "1.jpg").symlink_to(tmp_path / "elsewhere/1.jpg")
    assert listed(source) == {"1.jpg": b"x"}
    (source / "happy").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with pytest.raises(SourceError, match=r"source/happy is a link to a folder, and DVC would not"):
        listed(source)
