"""The result for one photo or video, kept in memory as long as its visitor keeps it."""

import io
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from mien.errors import PhotoError
from mien.inference import annotate, explain, output, photos, video
from mien.inference.reader import UNSURE, Reader, Reading

# Maximum number of photos and videos at a time.
MOST = 20
# Longer side, pixels, of the copy that the page shows.
SIDE = 1280
# Side, pixels, of a heat map.
HEAT = 240
# For videos: seconds between frames, and the maximum number of frames.
EVERY, FRAMES = 0.5, 240
# A folder in memory.
MEMORY = Path("/dev/shm")  # noqa: S108
# A decoded photo takes up to 150 MB, and the detector the same again: one at a time.
_ALONE = threading.Lock()


@dataclass(frozen=True, eq=False)
class Sheet:
    """A photo or video with its result.

    Attributes:
        reading: its faces with the most probable class as answer, or the error; for a video, of the
            frame with the most faces.
        size: width and height of the upright photo, pixels; the boxes use the same unit.
        picture: a small copy as JPEG; empty if the photo cannot be read.
        reader: the reader that was used.
        frames: for a video, the result for each sampled frame; empty for a photo.
    """

    reading: Reading
    reader: Reader
    size: tuple[int, int] = (0, 0)
    picture: bytes = b""
    frames: Sequence[Reading] = ()

    @cached_property
    def heat_maps(self) -> list[np.ndarray]:
        """Each face under its heat map, RGB, uint8, (HEAT, HEAT, 3); computed on first use."""
        faces = self.reading.faces
        heats = self.reader.explain(faces)
        return [
            explain.overlay(face.crop, heat, HEAT) for face, heat in zip(faces, heats, strict=True)
        ]


def read(name: str, data: bytes, reader: Reader) -> Sheet:
    """Return the result for the photo or video in a file's bytes; only a small copy is kept."""
    with _ALONE:
        try:
            if photos.is_video(Path(name)):
                return _video(name, data, reader)
            return _sheet(Path(name), photos.decode(data), reader)
        except PhotoError as error:
            broken = Reading(Path(name), [], partial(photos.decode, b""), str(error))
            return Sheet(broken, reader)


def _sheet(path: Path, photo: np.ndarray, reader: Reader) -> Sheet:
    height, width = photo.shape[:2]
    picture = _small(photo)
    reading = Reading(path, reader.read(photo), partial(photos.decode, picture))
    return Sheet(reading, reader, (width, height), picture)


def _video(name: str, data: bytes, reader: Reader) -> Sheet:
    """Return what a video shows.

    Raises:
        PhotoError: no frame can be decoded, or there are too many.
    """
    # From memory: what is uploaded is never written to a disk.
    given = video.frames(io.BytesIO(data), EVERY)
    frames: list[Reading] = []
    size, best, shown = (0, 0), b"", -1
    for reading in video.followed(reader, Path(name), given):
        if len(frames) == FRAMES:
            raise PhotoError(f"longer than {FRAMES * EVERY:.0f} s: cut it, or use `mien predict`")
        picture = _small(reading.load())
        frames.append(replace(reading, load=partial(photos.decode, picture)))
        if len(reading.faces) > shown:
            shown, best = len(reading.faces), picture
            chosen, size = reading, reading.load().shape[1::-1]
    if not frames:
        raise PhotoError("no video that can be decoded; convert it to MP4 (H.264)")
    still = Reading(Path(name), chosen.faces, partial(photos.decode, best))
    return Sheet(still, reader, (size[0], size[1]), best, frames)


def _small(photo: np.ndarray) -> bytes:
    """Return a copy of the photo as JPEG, no side above SIDE."""
    height, width = photo.shape[:2]
    share = min(1, SIDE / max(height, width))
    small = max(1, round(width * share)), max(1, round(height * share))
    copy = cv2.resize(photo, small, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", copy)[1].tobytes()


def abstaining(reading: Reading, confidence: float) -> Reading:
    """Return the reading with `unsure` for every answer less probable than `confidence`."""
    faces = [
        face if face.confidence >= confidence else replace(face, emotion=UNSURE)
        for face in reading.faces
    ]
    return replace(reading, faces=faces)


def annotated(sheet: Sheet, confidence: float) -> bytes:
    """Return the page's copy with boxes, answers and bars: JPEG, or MP4 of a video."""
    classes = sheet.reader.classes
    if not sheet.frames:
        one = _of_copy(sheet, abstaining(sheet.reading, confidence))
        stream = io.BytesIO()
        annotate.drawn(one.load(), one.faces, classes).save(stream, "JPEG", quality=92)
        return stream.getvalue()
    # OpenCV writes files alone; where the system has a folder in memory, it lies there.
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        copy = Path(folder, "annotated.mp4")
        with annotate.Copies({sheet.reading.path: copy}, classes, EVERY) as copies:
            for frame in sheet.frames:
                copies.add(_of_copy(sheet, abstaining(frame, confidence)))
        return copy.read_bytes()


def _of_copy(sheet: Sheet, reading: Reading) -> Reading:
    """Return the reading with its boxes in pixels of the copy, which may be smaller."""
    picture = reading.load()
    share = picture.shape[1] / sheet.size[0]
    faces = []
    for face in reading.faces:
        x, y, width, height = (round(side * share) for side in face.box)
        faces.append(replace(face, box=(x, y, width, height)))
    return replace(reading, faces=faces)


def timelines(sheet: Sheet) -> dict[int, pd.DataFrame]:
    """Return the probabilities over time of each face of a video: seconds as index, by track."""
    rows: dict[int, dict[float, dict[str, float]]] = {}
    for frame in sheet.frames:
        for track, face in zip(frame.tracks, frame.faces, strict=True):
            rows.setdefault(track, {})[frame.time or 0.0] = face.probabilities
    return {
        track: pd.DataFrame.from_dict(of, orient="index").rename_axis("seconds")
        for track, of in sorted(rows.items(), key=lambda item: (-len(item[1]), item[0]))
    }


def table(readings: Sequence[Reading], classes: Sequence[str]) -> bytes:
    """Return the readings as CSV, in the format of `mien predict`."""
    return output.rendered([output.record(one) for one in readings], classes, "csv")
