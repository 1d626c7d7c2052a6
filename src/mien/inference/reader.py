"""Reader: loaded once, it classifies the faces in any number of photos."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from mien.crops.alignment import crop
from mien.crops.detection import Detector
from mien.crops.square import square
from mien.errors import PhotoError
from mien.inference import photos
from mien.inference.classify import BATCH, Classifier

UNSURE = "unsure"

Box = tuple[int, int, int, int]
Found = tuple[Box, np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A classified face.

    Attributes:
        box: x, y, width and height, pixels of the upright photo.
        emotion: the most probable class, or `unsure` below the requested confidence.
        confidence: probability of the most probable class.
        probabilities: probability of each class, in the model's order; they sum to 1.
        crop: the model's input, uint8, shape (S, S), grey.
    """

    box: Box
    emotion: str
    confidence: float
    probabilities: dict[str, float]
    crop: np.ndarray

    @property
    def likeliest(self) -> str:
        """The most probable class, even if the answer is `unsure`."""
        return max(self.probabilities, key=self.probabilities.__getitem__)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The result for one photo, or for one frame of a video.

    Attributes:
        path: the file.
        faces: its faces, from left to right.
        load: returns the photo's pixels, like `photos.decode`; they are not kept in memory.
        error: why the file cannot be read; None if it was read.
        time: time of the frame, seconds from the start; None for a photo.
        tracks: for a frame, the number of each face, constant for one face over time.
    """

    path: Path
    faces: Sequence[Face]
    load: Callable[[], np.ndarray]
    error: str | None = None
    time: float | None = None
    tracks: Sequence[int] = field(default=())


class Reader:
    """Finds faces and classifies their expressions; many threads may use one reader.

    Attributes:
        classes: names of the expressions, in the order of the probabilities.

    >>> reader = Reader(models.load("fer7"), detection.YuNet())  # doctest: +SKIP
    >>> [face.emotion for face in reader.read(photos.decode(data))]  # doctest: +SKIP
    ['happy', 'neutral']
    """

    def __init__(
        self, model: Classifier, detector: Detector | None = None, abstain: float = 0
    ) -> None:
        """Combine model and detector.

        Args:
            model: see `models.load`.
            detector: finds the faces, see `detection`; None: each photo is one face.
            abstain: confidence below which the answer is `unsure`.
        """
        self.classes = model.classes
        self._model, self._detector, self._abstain = model, detector, abstain

    def read(self, photo: np.ndarray) -> list[Face]:
        """Return the faces in `photo`, uint8, shape (H, W, 3), BGR, from left to right."""
        return self.read_all([photo])[0]

    def read_all(self, photos: Iterable[np.ndarray]) -> list[list[Face]]:
        """Return the faces in each photo as `read` does, all classified in one batch.

        Only the crops of a photo are kept in memory.
        """
        return self._classified([self._found(photo) for photo in photos])

    def read_files(self, paths: Sequence[Path]) -> Iterator[Reading]:
        """Yield the reading of each photo, in order; one that cannot be read has an `error`.

        With a detector, which uses all cores itself, photos are processed one after another;
        without, in batches, one on each core.
        """
        if self._detector is not None:
            for path in paths:
                yield from self._read_batch([path])
            return
        batches = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for readings in pool.map(self._read_batch, batches):
                yield from readings

    def explain(self, faces: Sequence[Face]) -> np.ndarray:
        """Return heat maps of the faces' most probable classes, see `Classifier.explain`."""
        size = self._model.size
        crops = np.array([face.crop for face in faces], np.uint8).reshape(-1, size, size)
        return self._model.explain(crops, [self.classes.index(face.likeliest) for face in faces])

    def _read_batch(self, paths: Sequence[Path]) -> list[Reading]:
        found: list[list[Found]] = []
        errors: list[str | None] = []
        for path in paths:
            try:
                found.append(self._found(photos.load(path)))
                errors.append(None)
            except PhotoError as error:
                found.append([])
                errors.append(str(error))
        return [
            Reading(path, faces, partial(photos.load, path), error)
            for path, faces, error in zip(paths, self._classified(found), errors, strict=True)
        ]

    def _found(self, photo: np.ndarray) -> list[Found]:
        """Return the box and the crop, uint8, (S, S), of each face."""
        size = self._model.size
        grey = cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY)
        if self._detector is None:
            height, width = grey.shape
            return [((0, 0, width, height), square(grey, size))]
        return [(face.box, crop(grey, face, size)) for face in self._detector(photo)]

    def _classified(self, found: Sequence[Sequence[Found]]) -> list[list[Face]]:
        """Return the faces of each photo, all classified in one batch."""
        size = self._model.size
        crops = [pixels for faces in found for _, pixels in faces]
        probabilities = self._model(np.array(crops, np.uint8).reshape(-1, size, size))
        rows = iter(probabilities.tolist())
        return [[self._face(box, pixels, next(rows)) for box, pixels in faces] for faces in found]

    def _face(self, box: Box, pixels: np.ndarray, row: Sequence[float]) -> Face:
        confidence = max(row)
        sure = confidence >= self._abstain
        emotion = self.classes[row.index(confidence)] if sure else UNSURE
        return Face(box, emotion, confidence, dict(zip(self.classes, row, strict=True)), pixels)
