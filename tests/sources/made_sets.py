"""Small sets of drawn faces in the forms that data sets have, and what a source makes of them."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien import sources
from mien.errors import SourceError
from mien.labels import Labels

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SIDE = 8


def face(label: str, split: str | None, number: int) -> np.ndarray:
    """Return a picture that no other label, split and number has, uint8, (SIDE, SIDE)."""
    seed = hashlib.sha256(f"{label} {split} {number}".encode()).digest()
    return np.random.default_rng(list(seed)).integers(0, 256, (SIDE, SIDE), np.uint8)


def every(count: int = 2, splits: tuple[str | None, ...] = ("train", "test")) -> Iterator:
    """Yield label, split, number and picture of a set with `count` faces of each class."""
    for split in splits:
        for label in CLASSES:
            for number in range(count):
                yield label, split, number, face(label, split, number)


def png(image: np.ndarray, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, image)[1].tobytes()


def put(path: Path, data: bytes | str | np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(data, np.ndarray):
        data = png(data, path.suffix)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def spelt(image: np.ndarray, separator: str = " ") -> str:
    """Return the picture's pixels as text."""
    return separator.join(map(str, image.ravel()))


def read(path: Path, labels: dict[str, str | None] | None = None, **how) -> sources.Source:
    """Return the source with its pictures read once."""
    classes = how.pop("classes", ())
    with sources.opened(path, Labels(labels, classes), **how) as source:
        items = list(source)
    return source, items


def content(items) -> Counter:
    """Return how often each picture comes with each label and split."""
    return Counter(
        (
            cv2.imdecode(np.frombuffer(item.data, np.uint8), cv2.IMREAD_GRAYSCALE).tobytes(),
            item.label,
            item.split,
        )
        for item in items
    )


def built(count: int = 2, splits: tuple[str | None, ...] = ("train", "test")) -> Counter:
    """Return the content of the set that `every` yields."""
    return Counter(
        (image.tobytes(), label, split) for label, split, _, image in every(count, splits)
    )


def refusal(path: Path, labels: dict[str, str | None] | None = None, **how) -> str:
    """Return the one line that refuses the source."""
    with pytest.raises(SourceError) as caught:
        read(path, labels, **how)
    line = str(caught.value)
    assert line.isprintable()
    assert len(line) < 700
    return line
