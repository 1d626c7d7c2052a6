"""An image file's bytes become a grey square, with what was noticed on the way."""

import hashlib
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from mien.square import square


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded image.

    Attributes:
        image: uint8, shape (S, S), grey, 0 to 255.
        height: pixels before resizing, upright if the file's EXIF data says how.
        width: likewise.
        spread: largest difference between the channels of any pixel, 0 to 255; 0 for a grey
            image, however many channels it is stored in.
        content: SHA-256 of the size and the grey pixels before resizing, in hex; two files
            share it if and only if they show the same pixels.
    """

    image: np.ndarray
    height: int
    width: int
    spread: int
    content: str


def decode(data: bytes, size: int) -> Decoded | None:
    """Return the image in `data`, grey and `size` by `size`; None if it cannot be read."""
    try:
        colour = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # No bytes, or more pixels than OpenCV accepts.
        return None
    if colour is None:
        return None
    grey = cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY)
    blue, green, red = cv2.split(colour)
    highest, lowest = cv2.max(cv2.max(blue, green), red), cv2.min(cv2.min(blue, green), red)
    height, width = grey.shape
    content = hashlib.sha256(f"{height}x{width}:".encode() + grey.tobytes()).hexdigest()
    spread = int(cv2.subtract(highest, lowest).max())
    return Decoded(square(grey, size), height, width, spread, content)


def decode_all(
    batches: Iterable[Sequence[bytes]], count: int, size: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return what was noticed of each of `count` files, and the images.

    Returns:
        A table of N rows with `bytes` (size of the file), `readable`, and what Decoded says:
        `height`, `width`, `spread`, `content`, null of what cannot be read. The images, uint8,
        shape (N, size, size), black where unreadable.
    """
    images = np.zeros((count, size, size), np.uint8)
    rows: list[tuple[object, ...]] = []
    progress = tqdm(total=count, desc="decode", delay=2, disable=None, file=sys.stderr)
    # Threads, for OpenCV lets others run while it decodes. In batches: map reads all it is given.
    with progress, ThreadPoolExecutor() as pool:
        for batch in batches:
            for data, one in zip(batch, pool.map(partial(decode, size=size), batch), strict=True):
                if one is None:
                    rows.append((len(data), False, None, None, None, None))
                else:
                    images[len(rows)] = one.image
                    rows.append((len(data), True, one.height, one.width, one.spread, one.content))
            progress.update(len(batch))
    columns = ["bytes", "readable", "height", "width", "spread", "content"]
    table = pd.DataFrame(rows, columns=columns)
    return table.astype({"height": float, "width": float, "spread": float}), images
