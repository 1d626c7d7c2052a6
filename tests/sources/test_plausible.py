"""Random trees give the classes that they were built with, or a refusal: never another class."""

import string
from pathlib import Path

import pytest
from conftest import is_one_line
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.errors import SourceError
from mien.labels import EXPRESSIONS, MISSPELT, SYNONYMS
from sources.made_sets import CLASSES, face, put, read, spelt

NAMES = st.text(string.ascii_lowercase + string.digits + " _-", min_size=1, max_size=8).map(
    lambda name: name.strip() or "x"
)
SPELLINGS = st.sampled_from([*EXPRESSIONS, *SYNONYMS, *MISSPELT]).flatmap(
    lambda name: st.sampled_from([name, name.upper(), name.title(), f"1_{name}", f"{name} faces"])
)
SPLITS = st.sampled_from(["train", "test", "Training", "val", "test_set", "FER2013Train"])
FOLDERS = st.lists(NAMES | SPELLINGS | SPLITS, max_size=4)
FILES = st.sampled_from(["1.png", "a.jpg", "happy_1.png", "S001.png", "notes.txt", "x.csv"])
TABLES = st.sampled_from(
    [
        "emotion,pixels\n3,1 2 3 4\n4,1 2 3 5\n",
        "path,label\n1.png,happy\n",
        "image,age\n1.png,7\n",
        "pixels\n1 2 3 4\n",
        "a;b;c\n1;2;3\n",
        "",
    ]
)
TREES = st.lists(st.tuples(FOLDERS, FILES, TABLES), min_size=1, max_size=8)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(TREES)
def look(root: Path, tree) -> None:
    folder = root / str(abs(hash(repr(tree))))
    for at, (folders, name, table) in enumerate(tree):
        path = folder.joinpath(*folders, name)
        if any(parent.is_file() for parent in path.parents) or path.is_dir():
            continue
        is_picture = name.endswith(("png", "jpg"))
        put(path, face("any", None, at) if is_picture else table)
    try:
        _, items = read(folder)
    except SourceError as error:
        is_one_line(error)
        return
    # Only expressions, and each was named by something on the way to the picture or in a table.
    assert {item.label for item in items} <= set(EXPRESSIONS)
    assert len({item.label for item in items}) >= 2
    assert {item.split for item in items} <= {"train", "validation", "test", None}


def test_no_tree_yields_a_class_that_nobody_named(tmp_path):
    look(tmp_path)


WRAPPERS = st.lists(NAMES.filter(lambda name: not set("aeiou") & set(name)), max_size=2)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    wrappers=WRAPPERS,
    classes=st.lists(st.sampled_from(CLASSES), min_size=2, max_size=5, unique=True),
    splits=st.sampled_from([(None,), ("train", "test"), ("train", "val", "test")]),
    suffix=st.sampled_from(["", "_set", "ing_data"]),
    spelling=st.sampled_from([str, str.upper, lambda name: f"3_{name}", lambda name: f"{name}s x"]),
)
def build(root: Path, wrappers, classes, splits, suffix, spelling) -> None:
    case = repr((wrappers, classes, splits, suffix, spelling("z")))
    folder = root / str(abs(hash(case)))
    expected = set()
    known = spelling("z") != "zs x"
    for split in splits:
        for label in classes:
            # Nobody says `valing_data`.
            named = split and split + (suffix if split != "val" else suffix.replace("ing", ""))
            parts = [*wrappers, *([named] if named else []), spelling(label), "1.png"]
            put(folder.joinpath(*parts), face(label, split, 1))
            expected.add((label, {"val": "validation"}.get(split or "", split)))
    try:
        _, items = read(folder)
    except SourceError:
        assert not known
        return
    assert known
    assert {(item.label, item.split) for item in items} == expected


def test_trees_of_classes_give_the_classes_they_were_built_with(tmp_path):
    build(tmp_path)


@pytest.mark.parametrize("name", ["jaffe", "KDEF", "S001", "0", "fer2013test", "faces"])
def test_a_folder_that_is_no_class_alone_is_refused(name, tmp_path):
    for number in range(3):
        put(tmp_path / name / f"{number}.png", face(name, None, number))
    with pytest.raises(SourceError, match="names no expression"):
        read(tmp_path)


def test_a_table_of_another_kind_is_no_source(tmp_path):
    put(tmp_path / "a.csv", f"id,pixels\n1,{spelt(face('x', None, 1))}\n")
    with pytest.raises(SourceError, match="holds no image"):
        read(tmp_path)
