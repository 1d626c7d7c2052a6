"""A source of sound images with one of each fault planted, as `ingest` writes it."""

from pathlib import Path

import cv2
import numpy as np
from conftest import CLASSES, drawn_images, encoded

from mien.preparation.splits import SPLITS
from mien.sources import Item, Source, raw


def sound(count: int) -> list[Item]:
    """Return sound images of all classes in all splits, no two alike."""
    images, codes = drawn_images(count)
    return [
        Item(f"{number:03d}.png", CLASSES[code], SPLITS[number // 4 % 3], encoded(image))
        for number, (image, code) in enumerate(zip(images, codes, strict=True))
    ]


def planted() -> list[Item]:
    """Return what the audit is to find."""
    one, two, three, four, five = drawn_images(5, seed=9)[0]
    nearly = cv2.convertScaleAbs(three, alpha=0.9, beta=10)
    tinted = cv2.merge([four // 2, four, four])
    large = cv2.resize(five, (96, 80))
    return [
        Item("planted/blank.png", "happy", "train", encoded(np.full((48, 48), 200, np.uint8))),
        Item("planted/broken.jpg", "happy", "train", b"no image"),
        Item("planted/colour.png", "happy", "train", encoded(tinted)),
        Item("planted/conflict1.png", "happy", "train", encoded(two)),
        Item("planted/conflict2.png", "sad", "test", encoded(two)),
        Item("planted/large.png", "sad", "validation", encoded(large)),
        Item("planted/near1.png", "neutral", "train", encoded(three)),
        Item("planted/near2.png", "neutral", "test", encoded(nearly)),
        Item("planted/same1.png", "sad", "train", encoded(one)),
        Item("planted/same2.bmp", "sad", "validation", encoded(one, ".bmp")),
    ]


def write(path: Path, items: list[Item], form: str = "class folders") -> Path:
    """Write the items as `ingest` does from a source of that form."""
    raw.write(Source(items, [form], {}), items, path)
    return path
