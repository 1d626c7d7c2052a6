"""The result for one photo, kept in memory as long as its visitor keeps the photo."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import cv2
import numpy as np

from mien.errors import PhotoError
from mien.inference import explain, output, photos
from mien.inference.reader import UNSURE, Reader, Reading

# Maximum number of photos at a time.
MOST = 20
# Longer side, pixels, of the copy that the page shows.
SIDE = 1280
# Side, pixels, of a heat map.
HEAT = 144
# A decoded photo takes up to 150 MB, and the detector the same again: one at a time.
_ALONE = threading.Lock()


@dataclass(frozen=True, eq=False)
class Sheet:
    """A photo with its result.

    Attributes:
        reading: its faces with the most probable class as answer, or the error.
        size: width and height of the upright photo, pixels; the boxes use the same unit.
        picture: a small copy as JPEG; empty if the photo cannot be read.
        reader: the reader that was used.
    """

    reading: Reading
    reader: Reader
    size: tuple[int, int] = (0, 0)
    picture: bytes = b""

    @cached_property
    def heat_maps(self) -> list[np.ndarray]:
        """Each face under its heat map, RGB, uint8, (HEAT, HEAT, 3); computed on first use."""
        faces = self.reading.faces
        heats = self.reader.explain(faces)
        return [
            explain.overlay(face.crop, heat, HEAT) for face, heat in zip(faces, heats, strict=True)
        ]


def read(name: str, data: bytes, reader: Reader) -> Sheet:
    """Return the result for the photo in a file's bytes; only a small copy of it is kept."""
    with _ALONE:
        try:
            photo = photos.decode(data)
        except PhotoError as error:
            broken = Reading(Path(name), [], partial(photos.decode, b""), str(error))
            return Sheet(broken, reader)
        height, width = photo.shape[:2]
        share = min(1, SIDE / max(height, width))
        small = max(1, round(width * share)), max(1, round(height * share))
        copy = cv2.imencode(".jpg", cv2.resize(photo, small, interpolation=cv2.INTER_AREA))[1]
        picture = copy.tobytes()
        reading = Reading(Path(name), reader.read(photo), partial(photos.decode, picture))
        return Sheet(reading, reader, (width, height), picture)


def abstaining(reading: Reading, confidence: float) -> Reading:
    """Return the reading with `unsure` for every answer less probable than `confidence`."""
    faces = [
        face if face.confidence >= confidence else replace(face, emotion=UNSURE)
        for face in reading.faces
    ]
    return replace(reading, faces=faces)


def table(readings: Sequence[Reading], classes: Sequence[str]) -> bytes:
    """Return the readings as CSV, in the format of `mien predict`."""
    return output.rendered([output.record(one) for one in readings], classes, "csv")
