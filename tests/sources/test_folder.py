"""A folder is one set of all that lies in it."""

import zipfile
from contextlib import ExitStack

import pytest

from mien.errors import SourceError
from mien.sources import folder
from mien.sources.items import Entry, Ignored


def listed(path):
    with ExitStack() as files:
        return list(folder.entries(path, files))


def put(path, data=b"x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def zipped(path, *names):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as target:
        for name in names:
            target.writestr(name, b"x")


def test_names_are_led_by_the_archive_or_table_they_come_from(tmp_path):
    put(tmp_path / "happy/1.jpg")
    zipped(tmp_path / "more/faces.zip", "happy/1.jpg")
    put(tmp_path / "faces.csv", b"emotion,pixels\n3,1\n")
    names = {entry.name for entry in listed(tmp_path)}
    assert names == {"happy/1.jpg", "more/faces.zip/happy/1.jpg", "faces.csv:1"}


def test_archives_and_tables_take_their_split_from_where_they_lie(tmp_path):
    zipped(tmp_path / "train.zip", "happy/1.jpg")
    zipped(tmp_path / "test/faces.zip", "happy/1.jpg")
    zipped(tmp_path / "validation/both.zip", "train/happy/1.jpg")
    put(tmp_path / "test.csv", b"emotion,pixels\n3,1\n")
    assert {entry.name: entry.split for entry in listed(tmp_path)} == {
        "train.zip/happy/1.jpg": "train",
        "test/faces.zip/happy/1.jpg": "test",
        "validation/both.zip/train/happy/1.jpg": "train",
        "test.csv:1": "test",
    }


def test_the_name_of_an_archive_is_no_class(tmp_path):
    zipped(tmp_path / "happy.zip", "1.jpg")
    with pytest.raises(SourceError, match=r"'happy.zip/1.jpg' has no class"):
        listed(tmp_path)


def test_other_files_are_ignored_by_name(tmp_path):
    put(tmp_path / "happy/1.jpg")
    others = [
        ".DS_Store",
        ".hidden/happy/2.jpg",
        "happy/.ipynb_checkpoints/1.jpg",
        "happy/Thumbs.db",
        "labels.csv",
        "readme.txt",
    ]
    for other in others:
        put(tmp_path / other, b"file,label\n1.jpg,happy\n")
    found = listed(tmp_path)
    assert sorted(one.name for one in found if isinstance(one, Ignored)) == others
    assert [one.name for one in found if isinstance(one, Entry)] == ["happy/1.jpg"]


def test_linked_folders_are_read_and_loops_refused(tmp_path):
    put(tmp_path / "elsewhere/1.jpg")
    source = tmp_path / "source"
    source.mkdir()
    (source / "happy").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert [entry.name for entry in listed(source)] == ["happy/1.jpg"]
    (tmp_path / "elsewhere/back").symlink_to(source, target_is_directory=True)
    with pytest.raises(SourceError, match=r"leads back to .*: remove the link"):
        listed(source)
