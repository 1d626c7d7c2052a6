"""Labels: canonical names of expressions."""

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
    """Return the canonical class of `name`: lower case, synonyms replaced.

    >>> canonical(" Surprised")
    'surprise'
    """
    label = unicodedata.normalize("NFC", name).strip().lower()
    return SYNONYMS.get(label, label)
