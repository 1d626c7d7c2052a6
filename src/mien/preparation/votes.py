"""FER+: the votes of ten people on each image of FER2013, as training targets.

Barsoum et al. 2016, Training Deep Networks for Facial Expression Recognition with Crowd-Sourced
Label Distribution, arXiv:1608.01041. Its file `fer2013new.csv` has a row for each row of
`fer2013.csv`, in the same order.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mien.errors import ParamError
from mien.labels import canonical

ROW = re.compile(r"\.csv:(\d+)$")


def read(path: Path, names: pd.Series, classes: Sequence[str]) -> np.ndarray:
    """Return each image's share of votes for each class: float32, shape (N, C).

    Votes for other classes do not count, nor does a single vote for a class, as in the paper. An
    image without votes that count has a row of zeros.

    Args:
        path: the CSV file.
        names: names of all images of the source, `FILE.csv:ROW` with ROW counted from 1.
        classes: canonical names of the C classes.

    Raises:
        ParamError: the file is missing, not such a table or of another length, or the source is
            not a CSV.
    """
    rows = names.str.extract(ROW, expand=False)
    if rows.isna().any():
        raise ParamError(
            "data.ferplus: expected a source that is FER2013 as one CSV, whose rows the votes "
            f"follow, got an image named {names[rows.isna()].iloc[0]}; leave data.ferplus empty"
        )
    try:
        table = pd.read_csv(path).rename(columns=canonical)
    except (OSError, ValueError) as error:
        raise ParamError(f"data.ferplus: {path} cannot be read: {error}") from error
    if missing := [name for name in classes if name not in table]:
        raise ParamError(
            f"data.ferplus: {path} has no column for {missing[0]}, got {', '.join(table)}; "
            "take fer2013new.csv as published"
        )
    if len(table) != len(names):
        raise ParamError(
            f"data.ferplus: {path} has {len(table):,} rows, the source {len(names):,}; "
            "use two files that belong together"
        )
    votes = table[list(classes)].iloc[rows.astype(int) - 1]
    numbers = votes.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    if not (numbers >= 0).all():
        row = int(np.flatnonzero(~(numbers >= 0).all(axis=1))[0])
        raise ParamError(
            f"data.ferplus: {path}: row {rows.iloc[row]}: expected counts of votes, got "
            f"{votes.iloc[row].tolist()}; fix the file"
        )
    return _shares(numbers)


def shares(votes: pd.Series, classes: Sequence[str]) -> np.ndarray:
    """Return `read` of votes that came with the images: float32, shape (N, C).

    Args:
        votes: N rows, class to count of votes; null where an image has none.
        classes: the C names.
    """
    counts = [[(each or {}).get(name, 0) for name in classes] for each in votes]
    return _shares(np.array(counts, np.float64).reshape(-1, len(classes)))


def _shares(numbers: np.ndarray) -> np.ndarray:
    """Return shares of the votes; single ones do not count, as in the paper."""
    numbers = np.where(numbers > 1, numbers, 0)
    counts = numbers.sum(axis=1, keepdims=True)
    return np.divide(numbers, counts, out=np.zeros_like(numbers), where=counts > 0).astype(
        np.float32
    )


def targets(
    shares: np.ndarray, labels: pd.Series, classes: Sequence[str]
) -> tuple[np.ndarray, dict[str, int]]:
    """Return the targets, and how often votes and labels agree.

    An image without votes has its label as target.

    Args:
        shares: shares of the votes, see `read`: float32, shape (N, C).
        labels: class of each image, N rows.
        classes: the C names.

    Returns:
        float32, shape (N, C); the number of images with votes, of those whose label has most of the
        votes, and of images without votes.
    """
    own = np.eye(len(classes), dtype=np.float32)[pd.Categorical(labels, classes).codes]
    voted = shares.sum(axis=1) > 0
    agree = voted & (shares.argmax(axis=1) == own.argmax(axis=1))
    counts = {"images": int(voted.sum()), "agree": int(agree.sum()), "none": int((~voted).sum())}
    return np.where(voted[:, None], shares, own), counts
