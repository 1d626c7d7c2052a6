"""Lists of files: a row is a picture with its label; a list beside class folders has to agree."""

import json

import pytest

from sources.made_sets import CLASSES, built, content, every, face, put, read, refusal

CODES = {str(code): label for code, label in enumerate(CLASSES)}


def listed(root, line, head, name="labels.csv", folder="images"):
    lines = [head] if head else []
    for label, split, number, image in every():
        place = f"{folder}/{split}_{CLASSES.index(label)}_{number}.png"
        put(root / place, image)
        lines.append(line(place, label, split))
    put(root / name, "\n".join(lines))
    return root


FORMS = {
    "path,label,split": (lambda p, la, s: f"{p},{la},{s}", "path,label,split"),
    "names of columns in another case": (lambda p, la, s: f"{s};{p};{la}", "Usage;Image;Emotion"),
    "tabs": (lambda p, la, s: f"{p}\t{la}\t{s}", "filename\texpression\tset"),
    "the name alone": (
        lambda p, la, s: f"{p.split('/')[1]},{la},{s}",
        "image,class,subset",
    ),
    "backslashes": (lambda p, la, s: f".\\{p.replace('/', chr(92))},{la},{s}", "file,label,split"),
    "no header": (lambda p, la, s: f"{p},{la},{s}", None),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_list_gives_labels_and_splits(form, tmp_path):
    source, items = read(listed(tmp_path, *FORMS[form]))
    assert content(items) == built()
    assert source.forms == ["list of files"]


def test_text_with_spaces_between_is_a_list_too(tmp_path):
    listed(tmp_path, lambda p, la, s: f"{p} {la}", None, name="list.txt")
    _, items = read(tmp_path)
    assert {(item.name.split("/")[1].split("_")[1], item.label) for item in items} == set(
        CODES.items()
    )


def test_codes_need_data_labels_and_decimals_are_codes(tmp_path):
    line = lambda p, la, s: f"{p},{CLASSES.index(la)}.0,{s}"  # noqa: E731
    listed(tmp_path, line, "path,label,split")
    assert "the labels '0', '1', '2'" in refusal(tmp_path)
    _, items = read(tmp_path, CODES)
    assert content(items) == built()


def test_a_list_that_says_what_the_folders_say_is_left_out_by_name(tmp_path):
    for label, split, number, image in every():
        put(tmp_path / split / label / f"{number}.png", image)
    lines = [f"{split}/{label}/{n}.png,{label}" for label, split, n, _ in every()]
    put(tmp_path / "metadata.csv", "\n".join(["filename,emotion", *lines]))
    source, items = read(tmp_path)
    assert content(items) == built()
    assert source.forms == ["class folders"]
    assert source.left_out == {"tables that say what the folders say": ["metadata.csv"]}


def test_a_list_that_says_otherwise_is_refused_until_data_format_decides(tmp_path):
    for label, split, number, image in every():
        put(tmp_path / split / label / f"{number}.png", image)
    other = {label: CLASSES[at - 1] for at, label in enumerate(CLASSES)}
    lines = [f"{split}/{label}/{n}.png,{other[label]}" for label, split, n, _ in every()]
    put(tmp_path / "metadata.csv", "\n".join(["filename,emotion", *lines]))
    assert "data.format: list of files or class folders" in refusal(tmp_path)
    _, items = read(tmp_path, form="class folders")
    assert content(items) == built()


def test_a_foreign_table_beside_good_pictures_is_left_out_by_name(tmp_path):
    for label, split, number, image in every():
        put(tmp_path / split / label / f"{number}.png", image)
    put(tmp_path / "prices.csv", "name,price\nbread,3\n")
    put(tmp_path / "notes.txt", "nothing to see\n")
    source, items = read(tmp_path)
    assert content(items) == built()
    assert source.left_out == {"files of other kinds": ["notes.txt", "prices.csv"]}


def test_rows_whose_picture_is_missing_are_counted(tmp_path):
    listed(tmp_path, *FORMS["path,label,split"])
    with (tmp_path / "labels.csv").open("a") as file:
        file.write("\nimages/gone.png,happy,train")
    source, items = read(tmp_path)
    assert content(items) == built()
    (names,) = source.left_out.values()
    assert names == ["labels.csv: images/gone.png"]


def test_columns_of_persons_and_groups_are_kept(tmp_path):
    put(tmp_path / "a.png", face("happy", None, 1))
    put(tmp_path / "b.png", face("sad", None, 1))
    put(tmp_path / "t.csv", "file,label,Gender,subject\na.png,happy,f,anna\nb.png,sad,m,bert\n")
    _, items = read(tmp_path, groups=("gender",))
    assert [(item.groups, item.subject) for item in items] == [
        ({"gender": "f"}, "anna"),
        ({"gender": "m"}, "bert"),
    ]


def test_a_column_of_groups_that_is_nowhere_is_named(tmp_path):
    listed(tmp_path, *FORMS["path,label,split"])
    assert "data.groups: no table of" in refusal(tmp_path, groups=("age",))


def test_of_two_pictures_of_one_name_a_list_means_the_one_at_its_path(tmp_path):
    put(tmp_path / "one" / "1.png", face("happy", None, 1))
    put(tmp_path / "two" / "1.png", face("sad", None, 1))
    put(tmp_path / "list.csv", "path,label\none/1.png,happy\ntwo/1.png,sad\n")
    _, items = read(tmp_path)
    assert {item.name: item.label for item in items} == {"one/1.png": "happy", "two/1.png": "sad"}


@pytest.mark.parametrize("begin", ["/content/drive/My Drive/", "C:\\Users\\me\\"])
def test_paths_of_another_machine_are_found_by_their_ends(begin, tmp_path):
    listed(tmp_path, lambda p, la, s: f"{begin}{p},{la},{s}", "filepath,emotion,split")
    source, items = read(tmp_path)
    assert content(items) == built()
    assert not source.left_out


def test_a_path_of_another_machine_never_means_a_picture_of_the_same_name(tmp_path):
    listed(tmp_path, lambda p, la, s: f"{p},{la},{s}", "filepath,emotion,split")
    name = next(iter((tmp_path / "images").iterdir())).name
    with (tmp_path / "labels.csv").open("a") as file:
        file.write(f"\n/content/elsewhere/{name},happy,train")
    source, items = read(tmp_path)
    assert content(items) == built()
    assert list(source.left_out.values()) == [[f"labels.csv: /content/elsewhere/{name}"]]


def test_json_lines_are_a_list(tmp_path):
    line = lambda p, la, s: json.dumps({"file_name": p, "label": la, "split": s})  # noqa: E731
    listed(tmp_path, line, None, name="metadata.jsonl")
    source, items = read(tmp_path)
    assert content(items) == built()
    assert source.forms == ["list of files"]
    with (tmp_path / "metadata.jsonl").open("a") as file:
        file.write("\nno object")
    assert f"metadata.jsonl: row {len(items) + 1}: expected a JSON object" in refusal(tmp_path)


def test_a_column_for_each_class_is_a_label(tmp_path):
    def line(p, la, s):
        return ",".join([p, *(str(int(la == label)) for label in CLASSES), s])

    listed(tmp_path, line, ", ".join(["filename", *CLASSES, "split"]), name="_classes.csv")
    _, items = read(tmp_path)
    assert content(items) == built()
    place = next((tmp_path / "images").iterdir()).name
    with (tmp_path / "_classes.csv").open("a") as file:
        file.write("\n" + line(f"images/{place}", "nobody", "train"))
    assert "_classes.csv has the columns filename, " in refusal(tmp_path)


def test_scores_of_classes_beside_class_folders_are_left_out_by_name(tmp_path):
    for label, split, number, image in every():
        put(tmp_path / split / label / f"{number}.png", image)
    scores = ",".join(["0.5", "0.25", *["0.25"] * (len(CLASSES) - 2)])
    lines = [f"{split}/{label}/{n}.png,{scores}" for label, split, n, _ in every()]
    put(tmp_path / "scores.csv", "\n".join([",".join(["image", *CLASSES]), *lines]))
    source, items = read(tmp_path)
    assert content(items) == built()
    assert source.left_out == {"files of other kinds": ["scores.csv"]}


def test_what_could_not_be_read_is_told_with_its_columns(tmp_path):
    listed(tmp_path, lambda p, la, s: f"{p},{la}", "whence,feeling")
    assert "labels.csv has the columns whence, feeling" in refusal(tmp_path)
