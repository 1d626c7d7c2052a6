"""Labels: the one name of each expression, whatever a data set calls it."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

EXPRESSIONS = ("angry", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise")
SYNONYMS = {
    "anger": "angry",
    "contemptuous": "contempt",
    "disgusted": "disgust",
    "fearful": "fear",
    "afraid": "fear",
    "happiness": "happy",
    "neutrality": "neutral",
    "sadness": "sad",
    "scared": "fear",
    "surprised": "surprise",
}
# How folders of public copies of FER2013, RAF-DB and CK+ misspell them.
MISSPELT = {
    "anrgy": "angry",
    "angery": "angry",
    "contemp": "contempt",
    "digust": "disgust",
    "disguist": "disgust",
    "fearfull": "fear",
    "hapiness": "happy",
    "happyness": "happy",
    "netural": "neutral",
    "nuetral": "neutral",
    "sadnes": "sad",
    "supprise": "surprise",
    "suprise": "surprise",
    "suprised": "surprise",
    "surprize": "surprise",
}
# Words around an expression in the name of a folder or file that say nothing about it.
# fmt: off
FILLERS = frozenset((
    "class", "data", "dataset", "emotion", "expression", "face", "faces", "folder", "image",
    "images", "img", "imgs", "people", "photos", "pictures", "set", "split",
))
# fmt: on


def canonical(name: str) -> str:
    """Return the class that `name` stands for: lower case, synonyms and misspellings replaced.

    >>> canonical(" Surprised")
    'surprise'
    """
    label = unicodedata.normalize("NFC", name).strip().lower()
    return SYNONYMS.get(label) or MISSPELT.get(label) or label


def words(name: str) -> list[str]:
    """Return the words of a name in lower case, without numbers.

    >>> words("FER2013Train_set (1)")
    ['fer', 'train', 'set']
    """
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFC", name))
    return re.findall(r"[^\W\d_]+", parted.lower())


class Labels:
    """What the labels of a source mean.

    Attributes:
        meanings: the user's: label of the source to class, None for images to leave out.
        classes: names that the user asks for; they are classes even if they are no expressions.
    """

    def __init__(
        self, meanings: Mapping[str, str | None] | None = None, classes: Sequence[str] = ()
    ) -> None:
        """Remember the user's own meanings, see `data.labels` and `data.classes`."""
        self.meanings = {key.strip().lower(): value for key, value in (meanings or {}).items()}
        self.classes = tuple(canonical(name) for name in classes)

    def means(self, label: str) -> bool:
        """Tell whether the label stands for a class, or for images that the user leaves out."""
        return self._own(label) or canonical(label) in (*EXPRESSIONS, *self.classes)

    def of(self, label: str) -> str | None:
        """Return the class of a label for which `means` is true; None: left out by the user."""
        if self._own(label):
            return self.meanings[self._key(label)]
        return canonical(label)

    def in_name(self, name: str) -> str | None:
        """Return the label that the name of a folder consists of, besides numbers and fillers.

        `0_angry`, `happy faces` and `Suprise` name one; `not_happy` and `sad story` name none.
        """
        if self.means(name):
            return name
        left = [word for word in words(name) if word not in FILLERS]
        return left[0] if len(left) == 1 and self.means(left[0]) else None

    def within(self, name: str) -> str | None:
        """Return the one expression among the words of a file's name; None: none or several.

        >>> Labels().within("img_happy_017.jpg")
        'happy'
        """
        found = {canonical(word): word for word in words(name) if self.means(word)}
        return next(iter(found.values())) if len(found) == 1 else None

    def _own(self, label: str) -> bool:
        return self._key(label) in self.meanings

    @staticmethod
    def _key(label: str) -> str:
        return label.strip().lower()
