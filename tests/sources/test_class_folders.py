"""Class, split and person of a picture from the folders around it; nothing foreign is a class."""

import pytest

from sources.made_sets import CLASSES, built, content, every, face, put, read, refusal

WRONG = {
    "surprise": "suprise",
    "angry": "angery",
    "happy": "Happiness",
    "disgust": "disgusted",
    "fear": "fearful",
    "neutral": "neutrality",
    "sad": "SADNESS",
}


def laid(root, name):
    """Write the set, each picture where `name(label, split, number)` says."""
    for label, split, number, image in every():
        put(root / name(label, split, number), image)
    return root


SHAPES = {
    "split above class": lambda label, split, n: f"{split}/{label}/{n}.png",
    "class above split": lambda label, split, n: f"{label}/{split}/{n}.png",
    "wrapped": lambda label, split, n: f"a/b c/{split}/{label}/{n}.png",
    "split words": lambda label, split, n: f"{split}_set/{label}/{n}.png",
    "split words with data": lambda label, split, n: (
        f"{split.title()}ing_data/{label}/{n}.png"
        if split == "train"
        else f"Testing_data/{label}/{n}.png"
    ),
    "a year in the split": lambda label, split, n: f"FER2013{split.title()}/{label}/{n}.png",
    "misspelt": lambda label, split, n: f"{split}/{WRONG[label]}/{n}.png",
    "numbered": lambda label, split, n: f"{split}/{CLASSES.index(label)}_{label}/{n}.png",
    "with fillers": lambda label, split, n: f"{split}/{label} faces/{n}.png",
    "images inside": lambda label, split, n: f"{split}/{label}/images/{n}.png",
    "persons inside": lambda label, split, n: f"{split}/{label}/S{n:03}/{n}.png",
    "persons outside": lambda label, split, n: f"{split}/person {n}/{label}/{n}.png",
    "test in another case": lambda label, split, n: f"{split.upper()}/{label.upper()}/{n}.png",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_class_and_split_are_read_from_folders_of_every_shape(shape, tmp_path):
    source, items = read(laid(tmp_path, SHAPES[shape]))
    assert content(items) == built()
    assert source.forms == ["class folders"]
    assert not source.left_out


def test_a_person_is_a_folder_that_comes_back_in_several_classes_or_is_named_like_one(tmp_path):
    for label in ("happy", "sad"):
        for person in ("anna", "berta"):
            put(tmp_path / label / person / "1.png", face(label, person, 1))
        put(tmp_path / label / f"only in {label}" / "1.png", face(label, None, 2))
        put(tmp_path / label / "S012_003_00000017.png", face(label, None, 3))
    _, items = read(tmp_path)
    subjects = {item.name: item.subject for item in items}
    assert subjects["happy/anna/1.png"] == subjects["sad/anna/1.png"]
    assert subjects["happy/anna/1.png"] != subjects["happy/berta/1.png"]
    assert subjects["happy/only in happy/1.png"] is None
    assert subjects["sad/S012_003_00000017.png"].endswith("S012")


def test_codes_are_refused_until_labels_say_what_they_mean(tmp_path):
    laid(tmp_path, lambda label, split, n: f"{split}/{CLASSES.index(label)}/{n}.png")
    assert "data.labels" in refusal(tmp_path)
    _, items = read(tmp_path, {str(code): label for code, label in enumerate(CLASSES)})
    assert content(items) == built()


def test_several_labels_merge_and_null_leaves_out(tmp_path):
    laid(tmp_path, SHAPES["split above class"])
    source, items = read(tmp_path, {"disgust": "angry", "fear": None})
    assert {item.label for item in items} == {"angry", "happy", "sad", "surprise", "neutral"}
    assert sum(item.label == "angry" for item in items) == 8
    assert [len(names) for names in source.left_out.values()] == [4]


@pytest.mark.parametrize("foreign", ["bored", "7", "old", "not_happy", "Ahegao"])
def test_an_unknown_folder_beside_the_classes_is_refused_and_two_params_settle_it(
    foreign, tmp_path
):
    laid(tmp_path, SHAPES["split above class"])
    put(tmp_path / "train" / foreign / "1.png", face("foreign", None, 1))
    line = refusal(tmp_path)
    assert f"train/{foreign} stands beside folders of expressions" in line
    assert "data.labels" in line
    assert "data.classes" in line
    source, items = read(tmp_path, {foreign: None})
    assert content(items) == built()
    _, items = read(tmp_path, {foreign: "other"})
    assert sum(item.label == "other" for item in items) == 1
    source, items = read(tmp_path, classes=("happy", "sad"))
    assert content(items) == built()
    assert sum(map(len, source.left_out.values())) == 1


def test_classes_of_the_user_need_not_be_expressions(tmp_path):
    for label in ("awake", "drowsy"):
        put(tmp_path / label / "1.png", face(label, None, 1))
    assert "names no expression" in refusal(tmp_path)
    _, items = read(tmp_path, classes=("awake", "drowsy"))
    assert {item.label for item in items} == {"awake", "drowsy"}


def test_pictures_without_a_class_are_left_out_by_name_and_number(tmp_path):
    laid(tmp_path, SHAPES["split above class"])
    for number in range(3):
        put(tmp_path / "test" / f"{number}.png", face("unlabelled", None, number))
    source, items = read(tmp_path)
    assert content(items) == built()
    names = [f"test/{number}.png" for number in range(3)]
    assert source.left_out == {"pictures without a class folder in test": names}


@pytest.mark.parametrize(
    "odd", ["train_old", "my test", "validation2 backup", "valing_data", "Evaluation"]
)
def test_a_folder_that_only_looks_like_a_split_is_refused_unless_splits_are_made_anew(
    odd, tmp_path
):
    laid(tmp_path, SHAPES["split above class"])
    put(tmp_path / odd / "happy" / "1.png", face("happy", odd, 1))
    assert f"{odd} looks like a split and is none" in refusal(tmp_path)
    _, items = read(tmp_path, resplit=True)
    assert len(items) == sum(built().values()) + 1


def test_one_such_folder_around_everything_says_nothing(tmp_path):
    laid(tmp_path / "my test project", lambda label, split, n: f"{label}/{split}{n}.png")
    _, items = read(tmp_path)
    assert {item.split for item in items} == {None}


def test_two_classes_in_one_path_are_refused(tmp_path):
    put(tmp_path / "happy" / "sad" / "1.png", face("sad", None, 1))
    assert "name two classes, 'happy' and 'sad'" in refusal(tmp_path)


def test_one_class_alone_is_refused(tmp_path):
    put(tmp_path / "happy" / "1.png", face("happy", None, 1))
    assert "every picture (1) is of one class, happy" in refusal(tmp_path)


def test_sets_beside_each_other_are_parts(tmp_path):
    laid(tmp_path / "large", SHAPES["split above class"])
    for label in ("happy", "sad"):
        put(tmp_path / "mine" / label / "1.png", face(label, "mine", 1))
    _, items = read(tmp_path)
    assert {item.part for item in items} == {"large", "mine"}
