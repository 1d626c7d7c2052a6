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
            their order), `group` (int; equal for duplicates of one another), `seen` (bool: a
            duplicate of it is in train or, for test, in validation) and `copy` (int; 0 for an
            original, k for its k-th augmented copy).
        targets: what training aims at instead of the labels: float32, shape (N, C), rows sum
            to one; None for the labels. Scores always count by the labels.
    """

    images: np.ndarray
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

    def aims(self) -> np.ndarray:
        """Return the targets or, where there are none, the labels one-hot: float32, (N, C)."""
        if self.targets is not None:
            return self.targets
        return np.eye(len(self.classes), dtype=np.float32)[self.labels]


def save(faces: Faces, folder: Path) -> None:
    """Write `images.npy`, `index.parquet` and, if there are any, `targets.npy` into `folder`.

    Equal faces give the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "images.npy", faces.images)
    faces.index.to_parquet(folder / "index.parquet", index=False)
    if faces.targets is not None:
        np.save(folder / "targets.npy", faces.targets)


def load(folder: Path) -> Faces:
    """Return the faces saved in `folder`, their images memory-mapped."""
    images = np.load(folder / "images.npy", mmap_mode="r")
    targets = folder / "targets.npy"
    return Faces(
        images,
        pd.read_parquet(folder / "index.parquet"),
        np.load(targets) if targets.is_file() else None,
    )
