"""Videos: frames at regular intervals, and tracking of faces."""

import math
import os
import time as clock
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mien.errors import PhotoError
from mien.inference import photos
from mien.inference.reader import Box, Reader, Reading

# Silences FFmpeg about damaged videos; OpenCV reads this when it opens the first video.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

# A face is the same as in an earlier frame if the intersection over union (IoU) of their boxes is
# at least SHARED; after more than MISSED frames without it, it gets a new number.
SHARED, MISSED = 0.3, 2


def count(path: Path, every: float) -> int:
    """Return the approximate number of frames that `read` yields; 1 if unknown."""
    with _opened(str(path)) as video:
        frames, rate = video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)
    return max(1, math.ceil(frames / rate / every)) if frames > 0 and rate > 0 else 1


def read(reader: Reader, path: Path, every: float) -> Iterator[Reading]:
    """Yield readings of a frame every `every` seconds, with tracked faces.

    A video without a readable frame gives one reading with an `error`.
    """
    read_any = False
    for reading in followed(reader, path, frames(str(path), every)):
        read_any = True
        yield reading
    if not read_any:
        error = "no video that can be decoded; convert it to MP4 (H.264)"
        yield Reading(path, [], partial(photos.load, path), error)


def watch(reader: Reader, camera: str, every: float) -> Iterator[Reading]:
    """Yield what a frame each `every` seconds of a camera shows, its faces tracked.

    Its readings bear the name `camera`: an address may hold a password.

    Args:
        reader: reads the frames.
        camera: number of one at this machine, from 0, or the address of a stream.
        every: seconds.

    Raises:
        PhotoError: no frame comes from it.
    """
    # OpenCV writes lines of its own about a camera that is not there.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    source = int(camera) if camera.isdigit() else camera
    read_any = False
    for reading in followed(reader, Path("camera"), frames(source, every)):
        read_any = True
        yield reading
    if not read_any:
        raise PhotoError(
            f"--camera {camera}: no picture comes from it; expected the number of a camera that no "
            "other program uses, from 0, or an address such as rtsp://HOST/PATH"
        )


def followed(
    reader: Reader, path: Path, given: Iterator[tuple[float, np.ndarray]]
) -> Iterator[Reading]:
    """Yield what each frame, given with its time, shows."""
    tracks = Tracks()
    for time, frame in given:
        faces = reader.read(frame)
        numbers = tracks.follow([face.box for face in faces])
        yield Reading(path, faces, partial(np.asarray, frame), time=time, tracks=numbers)


def frames(source: str | int | BytesIO, every: float) -> Iterator[tuple[float, np.ndarray]]:
    """Yield time in seconds and pixels, like `photos.decode`, of a frame every `every` s.

    Args:
        source: file, address or bytes of a video, or the number of a camera, which is read as long
            as it sends; the time of its frames is that of this machine's clock.
        every: seconds.
    """
    due = 0.0
    with _opened(source) as video:
        start = clock.monotonic()
        while video.grab():
            time = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if isinstance(source, int):
                time = clock.monotonic() - start
            # Times in the file are rounded: half a millisecond early is accepted.
            if time < due - 0.0005:
                continue
            done, frame = video.retrieve()
            if done:
                yield round(time, 3), frame
            due = (math.floor((time + 0.0005) / every) + 1) * every


@contextmanager
def _opened(source: str | int | BytesIO) -> Iterator[cv2.VideoCapture]:
    if isinstance(source, BytesIO):
        stream: Any = source  # OpenCV's stubs know no Python streams.
        video = cv2.VideoCapture(stream, cv2.CAP_FFMPEG, [])
    else:
        video = cv2.VideoCapture(source)
    try:
        yield video
    finally:
        video.release()


@dataclass
class _Track:
    number: int
    box: Box
    missed: int = 0


class Tracks:
    """Numbers faces from frame to frame, by the overlap of their boxes.

    Pairs of an old and a new box are matched in order of decreasing overlap. A face that moves by
    more than about half its width between two frames becomes a new track; sample more often to
    avoid that.
    """

    def __init__(self) -> None:
        """Start without faces."""
        self._tracks: list[_Track] = []
        self._last = 0

    def follow(self, boxes: Sequence[Box]) -> list[int]:
        """Return the number, from 1, of each face of the next frame."""
        pairs = sorted(
            (
                (_shared(track.box, box), track, place)
                for track in self._tracks
                for place, box in enumerate(boxes)
            ),
            key=lambda pair: -pair[0],
        )
        numbers: dict[int, int] = {}
        for track in self._tracks:
            track.missed += 1
        for shared, track, place in pairs:
            if shared >= SHARED and place not in numbers and track.missed:
                numbers[place], track.box, track.missed = track.number, boxes[place], 0
        for place, box in enumerate(boxes):
            if place not in numbers:
                self._last += 1
                numbers[place] = self._last
                self._tracks.append(_Track(self._last, box))
        self._tracks = [track for track in self._tracks if track.missed <= MISSED]
        return [numbers[place] for place in range(len(boxes))]


def _shared(one: Box, other: Box) -> float:
    """Return the intersection over union (IoU) of the boxes, 0 to 1."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    both = max(0, width) * max(0, height)
    return both / (one[2] * one[3] + other[2] * other[3] - both)
