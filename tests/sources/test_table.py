"""Tables of pixels: both of Kaggle's forms, and every bad row by its number."""

import io
from pathlib import PurePosixPath

import cv2
import numpy as np
import pytest
from conftest import drawn_images

from mien.errors import SourceError
from mien.sources import table


def read(text, folders=()):
    return list(table.entries(io.BytesIO(text.encode()), PurePosixPath("faces.csv"), folders))


def test_pixels_survive_as_png_to_the_last_grey_value():
    images, _ = drawn_images(3, size=8)
    rows = [f"{code},Training,{' '.join(map(str, im.ravel()))}" for code, im in enumerate(images)]
    found = read("\n".join(["emotion, Usage, pixels", *rows]))
    for entry, image in zip(found, images, strict=True):
        decoded = cv2.imdecode(np.frombuffer(entry.read(), np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(decoded, image)


def test_the_seven_codes_have_their_published_meaning():
    found = read("emotion,pixels\n" + "".join(f"{code},1 2 3 4\n" for code in range(7)))
    labels = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    assert [entry.label for entry in found] == labels
    assert [entry.name for entry in found] == [f"faces.csv:{row}" for row in range(1, 8)]
    assert {entry.split for entry in found} == {None}


def test_usage_wins_over_the_folders_which_stand_in_for_it():
    assert read("emotion,pixels\n0,1\n", ("test",))[0].split == "test"
    assert read("emotion,pixels,Usage\n0,1,Training\n", ("test",))[0].split == "train"


def test_blank_lines_quotes_and_a_byte_order_mark_are_read_over():
    found = read('\ufeff"emotion","pixels"\r\n"3","1 2 3 4"\r\n\r\n4,5 6 7 8\r\n')
    assert [entry.label for entry in found] == ["happy", "sad"]


def test_images_beyond_the_field_limit_of_csv_are_read():
    assert len(read("emotion,pixels\n0," + "255 " * 300**2)) == 1


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
        ("7,Training,1 2 3 4", "expected an emotion code 0 to 6, got '7'"),
        ("happy,Training,1 2 3 4", "expected an emotion code 0 to 6, got 'happy'"),
        (",Training,1 2 3 4", "expected an emotion code 0 to 6, got ''"),
        ("3,Later,1 2 3 4", "expected Usage Training, PublicTest or PrivateTest, got 'Later'"),
        ("3,Training", "expected 3 fields, got 2"),
        ("3,Training,1 2,3 4", "expected 3 fields, got 4"),
    ],
)
def test_a_bad_row_is_named_with_what_was_expected(row, message):
    text = f"emotion, Usage, pixels\n3,Training,1 2 3 4\n{row}\n"
    with pytest.raises(SourceError) as caught:
        read(text)
    assert str(caught.value) == f"faces.csv: row 2: {message}; mend or remove it"


def test_pixels_of_no_square_are_refused():
    with pytest.raises(SourceError, match=r"row 1: expected the pixels of a square .* 3 values"):
        read("emotion,pixels\n0,1 2 3\n")


@pytest.mark.parametrize("column", ["emotion", "pixels"])
def test_a_missing_column_is_named(column):
    header = {"emotion", "pixels", "Usage"} - {column}
    with pytest.raises(SourceError, match=f"faces.csv has no column '{column}'"):
        read(",".join(sorted(header)) + "\n1,2\n")


def test_an_endless_line_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(table, "LINE", 1000)
    with pytest.raises(SourceError, match="row 2: "):
        read("emotion,pixels\n0,1\n0," + "1 " * 10_000)
