"""Pictures that come out of large files wait in a temporary file until they are read."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b

import cv2
import numpy as np

from mien.sources.items import Entry, Reading


class Spool:
    """Bytes in a nameless temporary file: memory holds none of them."""

    def __init__(self) -> None:
        """Begin empty."""
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        self._end = 0

    def add(self, data: bytes) -> Callable[[], bytes]:
        """Keep `data`; return what reads it again."""
        self._file.write(data)
        start, self._end = self._end, self._end + len(data)
        return partial(self._read, start, len(data))

    def _read(self, start: int, length: int) -> bytes:
        return os.pread(self._file.fileno(), length, start)


@dataclass
class Block:
    """Pictures of one large file, such as a table of pixels.

    Attributes:
        paths: of the file or files.
        entries: its pictures.
        digests: of their pixels or bytes.
    """

    paths: list[str]
    entries: list[Entry] = field(default_factory=list)
    digests: set[bytes] = field(default_factory=set)

    def add(self, entry: Entry, content: bytes) -> None:
        """Add a picture with this content."""
        self.entries.append(entry)
        self.digests.add(blake2b(content, digest_size=8).digest())


def together(blocks: Sequence[Block]) -> Reading:
    """Return the pictures of all blocks but of those whose pictures another one holds, too.

    Of blocks with the same pictures the one stays that tells splits, then the least deeply nested,
    then the first by name.
    """
    reading = Reading()
    order = sorted(
        blocks,
        key=lambda block: (
            -len(block.digests),
            not any(entry.split for entry in block.entries),
            block.paths[0].count("/"),
            block.paths,
        ),
    )
    kept: list[Block] = []
    for block in order:
        reading.taken += block.paths
        if any(block.digests <= other.digests for other in kept):
            reading.left_out["files that hold the same pictures as another"] += block.paths
        else:
            kept.append(block)
            reading.entries += block.entries
    return reading


def png(image: np.ndarray) -> bytes:
    """Return the image, uint8, as a PNG file."""
    # Small faces hold no repeats: Huffman coding alone is both smaller and faster.
    strategy = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY]
    return cv2.imencode(".png", image, strategy)[1].tobytes()
