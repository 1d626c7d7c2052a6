"""Labels in the names of files."""

import pytest

from sources.made_sets import CLASSES, built, content, every, face, put, read, refusal

KDEF = dict(zip(CLASSES, ("AN", "DI", "AF", "HA", "SA", "SU", "NE"), strict=True))
JAFFE = dict(zip(CLASSES, ("AN", "DI", "FE", "HA", "SA", "SU", "NE"), strict=True))
FORMS = {
    "KDEF": lambda label, n: f"KDEF/AF{n:02}/AF{n:02}{KDEF[label]}S.JPG",
    "KDEF, half profile": lambda label, n: f"KDEF/BM{n:02}/BM{n:02}{KDEF[label]}HL.JPG",
    "JAFFE": lambda label, n: f"jaffe/K{'AB'[n]}.{JAFFE[label]}1.{CLASSES.index(label)}.tiff",
    "words": lambda label, n: f"{label}_{n}.png",
    "words amid others": lambda label, n: f"set/img-{n}-{label.title()}-x.png",
}


@pytest.mark.parametrize("form", FORMS)
def test_names_tell_the_label(form, tmp_path):
    for label, _, number, image in every(splits=(None,)):
        put(tmp_path / FORMS[form](label, number), image)
    source, items = read(tmp_path)
    # JPEG changes pixels, so names are compared.
    assert {(item.name, item.label) for item in items} == {
        (FORMS[form](label, number), label) for label, _, number, _ in every(splits=(None,))
    }
    assert source.forms == ["labels in file names"]


@pytest.mark.parametrize("form", ["KDEF", "JAFFE"])
def test_a_person_keeps_all_pictures(form, tmp_path):
    for label, _, number, image in every(splits=(None,)):
        put(tmp_path / FORMS[form](label, number), image)
    _, items = read(tmp_path)
    counts = [sum(item.subject == who for item in items) for who in {i.subject for i in items}]
    assert counts == [7, 7]


def test_names_of_which_one_tells_nothing_are_no_labels(tmp_path):
    for label, _, number, image in every(splits=(None,)):
        put(tmp_path / f"{label}_{number}.png", image)
    put(tmp_path / "holiday.png", face("happy", None, 9))
    assert "names no expression" in refusal(tmp_path)


def test_splits_come_from_the_folders(tmp_path):
    for label, split, number, image in every():
        put(tmp_path / "set" / split / f"{label}{number}.png", image)
    _, items = read(tmp_path)
    assert content(items) == built()
