"""Faces: grey images with their labels, and the folder that holds them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Faces:
    """Grey face crops of one split.

    Attributes:
        images: uint8, shape (N, S, S), 0 to 255; possibly memory-mapped, never written to.
        index: one row per image: `name` (unique), `label` (categorical over the classes, in
            their order), `group` (int; equal for duplicates of one another) and `copy` (int;
            0 for an original, k for its k-th augmented copy).
    """

    images: np.ndarray
    index: pd.DataFrame

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
        return Faces(self.images[rows], self.index.iloc[rows].reset_index(drop=True))


def save(faces: Faces, folder: Path) -> None:
    """Write `images.npy` and `index.parquet` into `folder`, the same bytes for equal faces."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "images.npy", faces.images)
    faces.index.to_parquet(folder / "index.parquet", index=False)


def load(folder: Path) -> Faces:
    """Return the faces saved in `folder`, their images memory-mapped."""
    images = np.load(folder / "images.npy", mmap_mode="r")
    return Faces(images, pd.read_parquet(folder / "index.parquet"))
