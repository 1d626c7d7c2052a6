"""Labels: the one name of each expression."""

import unicodedata

SYNONYMS = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "afraid": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
}


def canonical(name: str) -> str:
    """Return the class that `name` stands for: lower case, synonyms replaced.

    >>> canonical(" Surprised")
    'surprise'
    """
    label = unicodedata.normalize("NFC", name).strip().lower()
    return SYNONYMS.get(label, label)
