"""Videos: frames at regular intervals, and tracking of faces."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from mien.inference import photos
from mien.inference.reader import Box, Reader, Reading

# Silences FFmpeg about damaged videos; OpenCV reads this when it opens the first video.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

# A face is the same as in an earlier frame if the intersection over union (IoU) of their boxes is
# at least SHARED; after more than MISSED frames without it, it gets a new number.
SHARED, MISSED = 0.3, 2


def count(path: Path, every: float) -> int:
    """Return the approximate number of frames that `read` yields; 1 if unknown."""
    with _opened(path) as video:
        frames, rate = video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)
    return max(1, math.ceil(frames / rate / every)) if frames > 0 and rate > 0 else 1


def read(reader: Reader, path: Path, every: float) -> Iterator[Reading]:
    """Yield readings of a frame every `every` seconds, with tracked faces.

    A video without a readable frame gives one reading with an `error`.
    """
    tracks = Tracks()
    time = None
    for time, frame in frames(path, every):
        faces = reader.read(frame)
        numbers = tracks.follow([face.box for face in faces])
        yield Reading(path, faces, partial(np.asarray, frame), time=time, tracks=numbers)
    if time is None:
        error = "no video that can be decoded; convert it to MP4 (H.264)"
        yield Reading(path, [], partial(photos.load, path), error)


def frames(path: Path, every: float) -> Iterator[tuple[float, np.ndarray]]:
    """Yield time in seconds and pixels, like `photos.decode`, of a frame every `every` s."""
    due = 0.0
    with _opened(path) as video:
        while video.grab():
            time = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
            # Times in the file are rounded: half a millisecond early is accepted.
            if time < due - 0.0005:
                continue
            done, frame = video.retrieve()
            if done:
                yield round(time, 3), frame
            due = (math.floor((time + 0.0005) / every) + 1) * every


@contextmanager
def _opened(path: Path) -> Iterator[cv2.VideoCapture]:
    video = cv2.VideoCapture(str(path))
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
