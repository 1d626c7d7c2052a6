"""What the notes of a registered version hold of its model card."""

from mien.tracking import notes


def test_a_long_card_is_cut_after_a_paragraph_and_says_where_the_rest_is():
    paragraphs = [f"## Part {number}\n\n{'word ' * 100}" for number in range(20)]
    text = notes.about_version("Takes faces.", "\n\n".join(paragraphs))
    *parts, pointer = text.split("\n\n")
    assert len(text) <= notes.LONGEST < len(text) + len(paragraphs[0])
    assert parts[0] == "Takes faces."
    assert parts[-1] == "word " * 100
    assert "model_card.md" in pointer


def test_a_card_that_fits_is_whole():
    assert notes.about_version("Takes faces.", "# Card") == "Takes faces.\n\n# Card"
    assert notes.about_version("Takes faces.", "") == "Takes faces."
