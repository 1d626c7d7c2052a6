"""Each expression has one name."""

import unicodedata

import pytest

from mien.labels import SYNONYMS, canonical


@pytest.mark.parametrize("name", ["Happy", "HAPPINESS", " happiness\n", "happy"])
def test_case_space_and_synonyms_do_not_tell_classes_apart(name):
    assert canonical(name) == "happy"


def test_the_words_for_the_seven_of_fer2013_lead_to_its_names():
    words = ["anger", "disgusted", "fearful", "afraid", "happiness", "sadness", "surprised"]
    named = ["angry", "disgust", "fear", "fear", "happy", "sad", "surprise"]
    assert [canonical(word) for word in words] == named


def test_what_was_named_stays():
    # A name that is replaced by another one's synonym would hang on how often it is asked.
    for name in [*SYNONYMS, "contempt", "bored"]:
        assert canonical(canonical(name)) == canonical(name)


def test_composed_and_decomposed_letters_are_one():
    composed = unicodedata.normalize("NFC", "\u00dcberrascht")
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    assert canonical(composed) == canonical(decomposed) == "\u00fcberrascht"
