"""Suspects: training images whose label is likely wrong, by confident learning.

Northcutt et al. 2021, Confident Learning: Estimating Uncertainty in Dataset Labels, JAIR 70,
arXiv:1911.00068, as cleanlab does it.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from mien.faces import Faces


def find(faces: Faces, probabilities: np.ndarray) -> pd.DataFrame:
    """Return a row for each suspect, the likeliest to be wrong first.

    Args:
        faces: images with the labels in doubt.
        probabilities: what nets that have not seen an image say of it: float, shape (N, C).

    Returns:
        `row` (of `faces`), `name`, `label`, `suggested` (the likeliest class), `confidence`
        (probability of the label) and `suggested_confidence`.
    """
    from cleanlab.filter import find_label_issues

    rows = find_label_issues(
        faces.labels,
        probabilities.astype(np.float64),
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    classes, suggested = np.array(faces.classes), probabilities[rows].argmax(axis=1)
    return pd.DataFrame(
        {
            "row": np.asarray(rows, np.int64),
            "name": faces.index["name"].to_numpy()[rows],
            "label": classes[faces.labels[rows]],
            "suggested": classes[suggested],
            "confidence": probabilities[rows, faces.labels[rows]],
            "suggested_confidence": probabilities[rows, suggested],
        }
    )


def drop(faces: Faces, rows: np.ndarray) -> Faces:
    """Return the faces without those at the int `rows`."""
    return faces.take(~np.isin(np.arange(len(faces)), rows))


def soften(faces: Faces, rows: np.ndarray, probabilities: np.ndarray) -> Faces:
    """Return the faces, those at `rows` with the mean of target and `probabilities` as target.

    Args:
        faces: images of which some are suspects.
        rows: int, shape (M,), of the suspects.
        probabilities: float, shape (N, C), of all the faces.
    """
    targets = faces.aims().copy()
    targets[rows] = (targets[rows] + probabilities[rows]) / 2
    return replace(faces, targets=targets)
