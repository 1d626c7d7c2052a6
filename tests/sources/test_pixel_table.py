"""Tables of pixels: every dialect that people have, and every bad row by its number."""

import bz2
import gzip
import lzma

import numpy as np
import pytest

from mien.sources import tables
from sources.made_sets import CLASSES, built, content, every, face, put, read, refusal, spelt

USAGE = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}


def written(code=None, pixels=spelt, separator=",", head="emotion,pixels,Usage", rows=None):
    """Return a table of the whole set."""
    code = code or (lambda label: str(CLASSES.index(label)))
    lines = [head.replace(",", separator)] if head else []
    for label, split, _, image in rows or every(splits=tuple(USAGE)):
        lines.append(separator.join([code(label), pixels(image), USAGE[split]]))
    return "\n".join(lines) + "\n"


PLAIN = written()
DIALECTS = {
    "fer2013.csv": PLAIN.encode(),
    "names.csv": written(code=str).encode(),
    "names in another case.csv": written(code=str.title).encode(),
    "decimals.csv": written(code=lambda label: f"{CLASSES.index(label)}.0").encode(),
    "lists.csv": written(pixels=lambda image: f'"[{spelt(image, ", ")}]"').encode(),
    "quoted.csv": written(pixels=lambda image: f'"{spelt(image)}"').encode(),
    "semicolons.csv": written(separator=";").encode(),
    "tabs.tsv": written(separator="\t").encode(),
    "bars.txt": written(separator="|").encode(),
    "returns.csv": PLAIN.replace("\n", "\r\n").encode(),
    "mark.csv": PLAIN.encode("utf-8-sig"),
    "utf16.csv": PLAIN.encode("utf-16"),
    "utf32.csv": PLAIN.encode("utf-32"),
    "empty lines.csv": PLAIN.replace("\n", "\n\n").encode(),
    "no header.csv": written(head=None).encode(),
    "a.csv.gz": gzip.compress(PLAIN.encode()),
    "a.csv.bz2": bz2.compress(PLAIN.encode()),
    "a.csv.xz": lzma.compress(PLAIN.encode()),
    "other names.csv": written(head="Label,Pixels,split").encode(),
    "pixels called image.csv": written(head="label,image,Usage").encode(),
    "wide.csv": written(
        pixels=lambda image: spelt(image, ","),
        head=f"emotion,{','.join(f'pixel{at}' for at in range(64))},Usage",
    ).encode(),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_gives_the_same_pictures(name, tmp_path):
    put(tmp_path / name, DIALECTS[name])
    for path in (tmp_path / name, tmp_path):
        source, items = read(path)
        assert content(items) == built(splits=tuple(USAGE))
        assert source.forms == ["table of pixels"]


def test_icml_face_data_has_its_spaces_and_usage_before_the_pixels(tmp_path):
    lines = [
        f"{CLASSES.index(label)},{USAGE[split]},{spelt(image)}"
        for label, split, _, image in every(splits=tuple(USAGE))
    ]
    put(tmp_path / "icml_face_data.csv", "\n".join(["emotion, Usage, pixels", *lines]))
    _, items = read(tmp_path)
    assert content(items) == built(splits=tuple(USAGE))
    assert items[0].name == "icml_face_data.csv:1"


def test_without_private_test_the_public_one_is_the_test_split(tmp_path):
    rows = [row for row in every(splits=tuple(USAGE)) if row[1] != "test"]
    put(tmp_path / "a.csv", written(rows=rows))
    _, items = read(tmp_path / "a.csv")
    assert {item.split for item in items} == {"train", "test"}


def test_emotion_7_is_contempt_as_in_ckextended(tmp_path):
    put(tmp_path / "a.csv", f"emotion,pixels\n7,{spelt(face('x', None, 0))}\n3,{'1 ' * 64}\n")
    _, items = read(tmp_path / "a.csv")
    assert [item.label for item in items] == ["contempt", "happy"]


def test_data_labels_say_otherwise(tmp_path):
    put(tmp_path / "a.csv", "emotion,pixels\n0,1 2 3 4\n1,1 2 3 5\n2,1 2 3 6\n")
    _, items = read(tmp_path / "a.csv", {"0": "happy", "1": "sad", "2": None})
    assert [item.label for item in items] == ["happy", "sad"]


def test_the_name_of_a_table_is_the_split_where_no_column_is(tmp_path):
    for name, number in (("train", 1), ("test", 2)):
        rows = "".join(f"{code},{number} {code} 0 0\n" for code in range(7))
        put(tmp_path / f"{name}.csv", f"emotion,pixels\n{rows}")
    _, items = read(tmp_path)
    assert {(item.name.split(".")[0], item.split) for item in items} == {
        ("train", "train"),
        ("test", "test"),
    }


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("3,Training,1 2 x 4", "expected whole grey values 0 to 255, got 'x'"),
        ("3,Training,1 2 3.5 4", "expected whole grey values 0 to 255, got '3.5'"),
        ("3,Training,1 2 3", "expected 4 pixels as in the rows before, got 3"),
        ("3,Training,1 2 3 4 5 6 7 8 9", "expected 4 pixels as in the rows before, got 9"),
        ("3,Training,", "expected 4 pixels as in the rows before, got 0"),
        ("3,Training,1 2 3 256", "expected grey values 0 to 255, got 256"),
        ("3,Training,1 2 3 -1", "expected grey values 0 to 255, got -1"),
        (
            "8,Training,1 2 3 4",
            "expected an emotion, as its code 0 to 7 or its name, got '8'",
        ),
        (
            "bored,Training,1 2 3 4",
            "expected an emotion, as its code 0 to 7 or its name, got 'bored'",
        ),
        (",Training,1 2 3 4", "expected an emotion, as its code 0 to 7 or its name, got ''"),
        ("3,Later,1 2 3 4", "expected Usage Training, PublicTest or PrivateTest, got 'Later'"),
        ("3,Training", "expected 4 pixels as in the rows before, got 0"),
        ("3,Training,1 2,3 4", "expected 3 fields, got 4"),
    ],
)
def test_a_bad_row_is_named_with_what_was_expected(row, message, tmp_path):
    put(tmp_path / "faces.csv", f"emotion, Usage, pixels\n3,Training,1 2 3 4\n{row}\n")
    line = refusal(tmp_path / "faces.csv")
    assert line == f"faces.csv: row 2: {message}; mend or remove it"


def test_a_bad_row_is_found_in_whichever_chunk_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "CHUNK", 3)
    rows = [f"3,{number} 2 3 4" for number in range(20)]
    rows[16] = "3,1 2 3"
    put(tmp_path / "faces.csv", "\n".join(["emotion,pixels", *rows]))
    assert refusal(tmp_path / "faces.csv").startswith("faces.csv: row 17: expected 4 pixels")


def test_an_endless_line_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "LINE", 1000)
    put(tmp_path / "a.csv", "emotion,pixels\n0,1\n0," + "1 " * 400_000)
    assert "a line of more than 1,000 characters" in refusal(tmp_path / "a.csv")


def test_large_images_are_read(tmp_path):
    image = np.full((300, 300), 255, np.uint8)
    put(tmp_path / "a.csv", f"emotion,pixels\n0,{spelt(image)}\n1,{spelt(image - 1)}\n")
    _, items = read(tmp_path / "a.csv")
    assert len(items) == 2
