"""What a user reads of a mistake is one line, and tells no password."""

import pytest

from mien.errors import MienError, masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("a\rb", r"a\rb"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("half \ud800", r"half \ud800"),
        ('it\'s "喜び" 😀', 'it\'s "喜び" 😀'),
        ("a\\b", "a\\b"),
    ],
)
def test_what_cannot_be_printed_is_written_out(text, shown):
    assert str(MienError(text)) == shown


def test_each_address_in_a_text_is_masked():
    text = "from http://me:one@a.example\nto http://me:two@b.example"
    assert masked(text) == "from http://***@a.example\nto http://***@b.example"
