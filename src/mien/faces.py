"""Faces: grey images with their labels, and the folder that stores them."""

import copy
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

# Images processed at once if a whole set may not fit in memory.
BLOCK = 256
# Prefix of the index' columns that hold a property of the person, such as `group:gender`.
GROUP = "group:"


class SpooledImages:
    """Grey images in an unnamed temporary file; only the requested ones are in memory.

    Indexed like an array, uint8, shape (N, S, S): by a row, a slice, rows or a mask. Unlike with a
    memory map, images that were read do not stay in memory. Threads may read concurrently.
    """

    def __init__(self, side: int) -> None:
        """Start without images, in the folder for temporary files; all are `side` by `side`."""
        self._side, self._count = side, 0
        self._rows: np.ndarray | None = None
        self._file = tempfile.TemporaryFile()  # noqa: SIM115

    def __len__(self) -> int:
        """Return the number of images."""
        return self._count if self._rows is None else len(self._rows)

    def append(self, images: np.ndarray) -> None:
        """Append images."""
        self._file.write(np.ascontiguousarray(images).data)
        self._file.flush()
        self._count += len(images)

    def __getitem__(self, rows: int | slice | np.ndarray) -> np.ndarray:
        """Return the images at `rows`."""
        places = self._places(rows)
        images = np.empty((*places.shape, self._side, self._side), np.uint8)
        size = self._side**2
        for place, image in zip(places.ravel().tolist(), images.reshape(-1, size), strict=True):
            if os.preadv(self._file.fileno(), [image.data], place * size) < size:
                raise IndexError(f"no image {place}; there are {self._count}")
        return images

    def at(self, rows: np.ndarray) -> "SpooledImages":
        """Return a view of the images at `rows`, in the same file."""
        chosen = copy.copy(self)
        chosen._rows = self._places(rows)
        return chosen

    def _places(self, rows: int | slice | np.ndarray) -> np.ndarray:
        """Return the positions in the file of the images at `rows`."""
        places = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else np.array(rows)
        if places.dtype == bool:
            places = np.flatnonzero(places)
        return places if self._rows is None else self._rows[places]


@dataclass(frozen=True)
class Faces:
    """Grey face crops of one split.

    Attributes:
        images: uint8, shape (N, S, S), 0 to 255, never written to: an array, as `load` gives it
            memory-mapped, or SpooledImages.
        index: one row per image: `name` (unique), `label` (categorical over the classes, in
            their order), `group` (int; equal for duplicates of one another), `seen` (bool: a
            duplicate of it is in train or, for test, in validation) and `copy` (int; 0 for an
            original, k for its k-th augmented copy). The test split also has a column
            `group:NAME` for each of `data.groups`, text, null where not known.
        targets: what training aims at instead of the labels: float32, shape (N, C), rows sum
            to one; None for the labels. Scores always count by the labels.
    """

    images: Any
    index: pd.DataFrame
    targets: np.ndarray | None = None

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the labels' codes."""
        return tuple(self.index["label"].cat.categories)

    @property
    def labels(self) -> np.ndarray:
        """Class codes, int64, shape (N,), values in [0, len(classes))."""
        return self.index["label"].cat.codes.to_numpy(np.int64)

    def take(self, rows: np.ndarray) -> "Faces":
        """Return the faces at `rows`: indices or a boolean mask, shape (N,)."""
        targets = None if self.targets is None else self.targets[rows]
        return Faces(self.images[rows], self.index.iloc[rows].reset_index(drop=True), targets)

    def soft_targets(self) -> np.ndarray:
        """Return the targets or, if there are none, one-hot labels: float32, (N, C)."""
        if self.targets is not None:
            return self.targets
        return np.eye(len(self.classes), dtype=np.float32)[self.labels]


def save(faces: Faces, folder: Path) -> None:
    """Write `images.npy`, `index.parquet` and, if there are targets, `targets.npy` to `folder`.

    Equal faces give the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "images.npy").open("wb") as file:
        shape = (len(faces), *faces.images[0].shape)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(faces), BLOCK):
            file.write(np.ascontiguousarray(faces.images[start : start + BLOCK]).data)
    faces.index.to_parquet(folder / "index.parquet", index=False)
    if faces.targets is None:
        # Of faces that lay here before.
        (folder / "targets.npy").unlink(missing_ok=True)
    else:
        np.save(folder / "targets.npy", faces.targets)


def load(folder: Path) -> Faces:
    """Return the faces saved in `folder`, with memory-mapped images."""
    images = np.load(folder / "images.npy", mmap_mode="r")
    targets = folder / "targets.npy"
    return Faces(
        images,
        pd.read_parquet(folder / "index.parquet"),
        np.load(targets) if targets.is_file() else None,
    )
