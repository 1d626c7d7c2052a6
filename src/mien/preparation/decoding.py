"""Decode an image file to a grey square, with the properties that the audit needs.

With a detector the files are whole photos, and the square is the largest face, found and cropped
as `mien predict` does it.
"""

import hashlib
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from mien.crops.alignment import crop
from mien.crops.detection import Detector
from mien.crops.square import square
from mien.faces import SpooledImages

# Files that a thread decodes per task.
TASK = 64
# Columns of the table, with their types.
KINDS = {
    "bytes": int,
    "readable": bool,
    "height": float,
    "width": float,
    "spread": float,
    "content": "str",
    "faces": float,
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded image.

    Attributes:
        image: uint8, shape (S, S), grey, 0 to 255; None if no face was found.
        height: pixels before resizing, after EXIF rotation; for a photo, of its largest face.
        width: likewise.
        spread: largest difference between the channels of any pixel, 0 to 255; 0 for a grey
            image, however many channels it is stored in.
        content: SHA-256 of the size and the grey pixels before resizing, in hex; equal for two
            files if and only if they have the same pixels.
        faces: number of faces found in the photo; 1 without a detector.
    """

    image: np.ndarray | None
    height: int
    width: int
    spread: int
    content: str
    faces: int = 1


def decode(data: bytes, size: int, detector: Detector | None = None) -> Decoded | None:
    """Return the image in `data`, grey and `size` by `size`; None if it cannot be read.

    With a `detector` the result is the largest face in it, by the area of its box.
    """
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYCOLOR)
    except cv2.error:  # Empty, or more pixels than OpenCV accepts.
        return None
    if image is None:
        return None
    grey, spread = (image, 0) if image.ndim == 2 else _grey(image)
    height, width = grey.shape
    content = hashlib.sha256(f"{height}x{width}:".encode() + grey.tobytes()).hexdigest()
    if detector is None:
        return Decoded(square(grey, size), height, width, spread, content)
    faces = detector(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image)
    if not faces:
        return Decoded(None, height, width, spread, content, 0)
    largest = max(faces, key=lambda face: face.box[2] * face.box[3])
    _, _, width, height = largest.box
    return Decoded(crop(grey, largest, size), height, width, spread, content, len(faces))


def _grey(colour: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the luma of a BGR image and the largest difference between its channels."""
    blue, green, red = cv2.split(colour)
    highest, lowest = cv2.max(cv2.max(blue, green), red), cv2.min(cv2.min(blue, green), red)
    return cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY), int(cv2.subtract(highest, lowest).max())


def decode_all(
    batches: Iterable[Sequence[bytes]], count: int, size: int, detector: Detector | None = None
) -> tuple[pd.DataFrame, SpooledImages]:
    """Return a table of the properties of `count` files, and the images.

    Returns:
        A table of N rows with `bytes` (size of the file), `readable`, and attributes of Decoded:
        `height`, `width`, `spread`, `content`, null for unreadable files. With a detector a photo
        without a face counts as unreadable, and the column `faces` has the number of faces, null
        if the file cannot be decoded. The images, uint8, shape (N, size, size), black if
        unreadable.
    """
    images, tables = SpooledImages(size), []
    one = partial(decode, size=size, detector=detector)
    progress = tqdm(total=count, desc="decode", delay=2, disable=None, file=sys.stderr)
    # Threads, because OpenCV releases the GIL while it decodes. In batches, because map reads its
    # whole input at once.
    with progress, ThreadPoolExecutor() as pool:
        for batch in batches:
            parts = [batch[start : start + TASK] for start in range(0, len(batch), TASK)]
            read = chain.from_iterable(pool.map(lambda part: list(map(one, part)), parts))
            table, squares = _tabled(batch, list(read), size)
            tables.append(table)
            images.append(squares)
            progress.update(len(batch))
    table = pd.concat(tables, ignore_index=True)
    return table.drop(columns=[] if detector else ["faces"]), images


def _tabled(
    batch: Sequence[bytes], read: Sequence[Decoded | None], size: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the rows of `decode_all` and the images of one batch."""
    images = np.zeros((len(batch), size, size), np.uint8)
    rows: list[tuple[object, ...]] = []
    for data, one, image in zip(batch, read, images, strict=True):
        if one is None or one.image is None:
            rows.append((len(data), False, None, None, None, None, one.faces if one else None))
        else:
            image[:] = one.image
            told = one.height, one.width, one.spread, one.content, one.faces
            rows.append((len(data), True, *told))
    return pd.DataFrame(rows, columns=list(KINDS)).astype(KINDS), images
