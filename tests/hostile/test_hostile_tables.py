"""CSVs with every mistake: one line that names the file or the row."""

import random
from pathlib import Path

import pytest
from conftest import is_one_line
from hypothesis import given, settings
from hypothesis import strategies as st

from mien import sources
from mien.errors import SourceError

pytestmark = pytest.mark.usefixtures("walled")

HEAD = "emotion,pixels\n3,1 2 3 4\n"
ROWS = {
    "not a number": "3,nan 1 2 3",
    "infinite": "3,inf 1 2 3",
    "an exponent": "3,1e2 1 2 3",
    "hexadecimal": "3,0x10 1 2 3",
    "an underscore": "3,1_0 1 2 3",
    "digits of another script": "3,\u0661 2 3 4",
    "a number of 20 digits": "3,99999999999999999999 1 2 3",
    "a number below -2^63": "3,-99999999999999999999 1 2 3",
    "commas between the pixels": "3,1,2,3,4",
    "a byte of zero": "3,1 2\0 3 4",
    "spaces alone": "3,    ",
    "a quote that never ends": '3,"1 2 3 4\n3,1 2 3 4\n3,1 2 3 4',
    "an emotion of another script": "\u0663,1 2 3 4",
    "an emotion with a sign": "+3,1 2 3 4",
    "an emotion of 5,000 digits": f"{'9' * 5000},1 2 3 4",
    "an emotion with a line break": '"3\n4",1 2 3 4',
    "an emotion with an escape": "\x1b[31m,1 2 3 4",
    "a formula": "=cmd|calc,1 2 3 4",
    "half a row": "3",
    "too many pixels": f"3,{'1 ' * 100}",
}


@pytest.mark.parametrize("kind", ROWS)
def test_a_wrong_row_is_one_line_with_its_number(kind):
    Path("a.csv").write_text(f"{HEAD}{ROWS[kind]}\n")
    with (
        pytest.raises(SourceError, match=r"^a\.csv: row 2: ") as caught,
        sources.opened(Path("a.csv")),
    ):
        pass
    is_one_line(caught.value)


READ = {
    "semicolons between the pixels": "4,1;2;3;4",
    "brackets": '4,"[1, 2, 3, 4]"',
    "an emotion with a point": "4.0,1 2 3 4",
}


@pytest.mark.parametrize("kind", READ)
def test_a_row_that_is_spelt_another_way_is_read(kind):
    Path("a.csv").write_text(f"{HEAD}{READ[kind]}\n")
    with sources.opened(Path("a.csv")) as source:
        happy, sad = source
    assert (happy.label, sad.label) == ("happy", "sad")
    assert happy.data == sad.data


WHOLE = {
    "no header": b"3,1 2 3 4\n",
    "another language": "gefühl,pixel\n3,1 2 3 4\n".encode(),
    "a column short": b"emotion\n3\n",
    "nothing": b"",
    "the header alone": b"emotion,pixels\n",
    "empty lines alone": b"emotion,pixels\n\n\n\n",
    "a header of 10,000 letters": b"x" * 10_000,
    "zeros": bytes(10_000),
    "noise": random.Random(1).randbytes(10_000),
    "an Excel file": b"PK\x03\x04\x14\0\6\0\x08\0" + bytes(200),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_another_kind_of_table_is_one_line(kind):
    Path("a.csv").write_bytes(WHOLE[kind])
    with pytest.raises(SourceError, match=r"^a\.csv ") as caught, sources.opened(Path("a.csv")):
        pass
    is_one_line(caught.value)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.tuples(st.text(max_size=6), st.text(' 0123456789-.,"\n\0nax', max_size=30)))
    | st.binary(max_size=60).map(lambda data: [(data.decode("latin-1"), "")])
)
def read_anything(rows):
    text = HEAD + "".join(f"{emotion},{pixels}\n" for emotion, pixels in rows)
    Path("a.csv").write_text(text, encoding="utf-8", errors="replace")
    try:
        with sources.opened(Path("a.csv")) as source:
            assert {len(item.label) > 2 for item in source} == {True}
    except SourceError as error:
        is_one_line(error)


def test_any_rows_are_read_or_refused():
    read_anything()
