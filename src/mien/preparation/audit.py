"""The audit: what is wrong with each image, and which images the policy drops.

A table of images has one row per image: `name`, `label`, `split`, `bytes` (size of the file) and
`readable`. Readable images also have (else null): `height` and `width` before resizing, `spread`
and `content` (see `decoding`), `mean`, `std` and `sharpness` (see `measures`), and `group` (see
`duplicates`). For whole photos there is also `faces`, the number of faces found; a photo without
a face is not `readable`.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pandas as pd

from mien.errors import ParamError
from mien.faces import BLOCK, SpooledImages
from mien.labels import canonical
from mien.params import Audit, Policy
from mien.preparation.splits import PREFERENCE

# In the order in which the policy acts: first the faults of an image by itself, so that of several
# copies one without faults is kept. Named as in `audit.policy`; the first two are always dropped.
# Only whole photos can have no face.
FINDINGS = (
    "unreadable",
    "no_face",
    "blank",
    "dark",
    "bright",
    "blurred",
    "colour",
    "resized",
    "label_conflicts",
    "exact_duplicates",
    "near_duplicates",
)
# Standard deviation of the grey levels below which an image is blank.
BLANK = 1.0
# Largest difference between channels, in grey levels, that compression of a grey image causes.
GREY_SPREAD = 4


def choose(labels: pd.Series, asked: Sequence[str]) -> list[str]:
    """Return the classes in order: those `asked` for, by name or synonym, or all of them.

    Args:
        labels: class of each image.
        asked: names from data.classes; empty for all classes, alphabetically.

    Raises:
        ParamError: a class does not occur in the labels, or is asked for twice.
    """
    found = sorted(labels.unique())
    classes = [canonical(name) for name in asked] or found
    for place, label in enumerate(classes):
        if label not in found:
            raise ParamError(
                f"data.classes: {label!r} is no class of the source, which has {', '.join(found)}"
            )
        if label in classes[:place]:
            raise ParamError(f"data.classes: {label!r} is named twice; name each class once")
    return classes


def measures(images: np.ndarray | SpooledImages, readable: pd.Series) -> pd.DataFrame:
    """Return `mean`, `std` and `sharpness` of each image, float64, N rows; null if unreadable.

    Sharpness is the variance of the Laplacian (Pech-Pacheco et al., Diatom autofocusing in
    brightfield microscopy, ICPR 2000); lower means more blurred.

    Args:
        images: uint8, shape (N, S, S), grey, 0 to 255.
        readable: bool, N rows.
    """
    starts = range(0, len(images), BLOCK)
    with ThreadPoolExecutor() as pool:
        parts = pool.map(lambda start: _measured(images[start : start + BLOCK]), starts)
        rows = np.concatenate(list(parts))
    table = pd.DataFrame(rows, columns=["mean", "std", "sharpness"])
    table.loc[~readable] = np.nan
    return table


def _measured(images: np.ndarray) -> np.ndarray:
    """Return the `measures` of some images, float64, shape (N, 3)."""
    edges = np.stack([cv2.Laplacian(image, cv2.CV_64F) for image in images])
    flat, edges = (each.reshape(len(images), -1) for each in (images, edges))
    return np.stack([flat.mean(axis=1), flat.std(axis=1), edges.var(axis=1)], axis=1)


def findings(table: pd.DataFrame, size: int, audit: Audit) -> pd.DataFrame:
    """Return which findings each image has: bool, N rows, a column for each of FINDINGS.

    There is a column `no_face` only if the table has `faces`. `dark`, `bright` and `blurred` are
    measured after resizing. An image is in `exact_duplicates` if another image has the same pixels,
    in `near_duplicates` if its group has several contents (then all members count, also exact
    copies), and in `label_conflicts` if the labels of its group differ.

    Args:
        table: table of images.
        size: side of the grey squares; images of another size were `resized`.
        audit: the thresholds.
    """
    by_group = table.groupby("group")
    found = {
        "unreadable": ~table["readable"],
        "blank": table["std"] < BLANK,
        "dark": table["mean"] < audit.dark,
        "bright": table["mean"] > audit.bright,
        "blurred": table["sharpness"] < audit.blurred,
        "colour": table["spread"] > GREY_SPREAD,
        "resized": table["readable"] & ((table["height"] != size) | (table["width"] != size)),
        "label_conflicts": by_group["label"].transform("nunique") > 1,
        "exact_duplicates": table.groupby("content")["name"].transform("size") > 1,
        "near_duplicates": by_group["content"].transform("nunique") > 1,
    }
    if "faces" in table:
        found["no_face"] = table["faces"] == 0
        found["unreadable"] &= ~found["no_face"]
    return pd.DataFrame(found, columns=[finding for finding in FINDINGS if finding in found])


def reasons(table: pd.DataFrame, found: pd.DataFrame, policy: Policy) -> pd.Series:
    """Return the finding for which each image is dropped, "" if it is kept; N rows.

    The findings are applied in the order of FINDINGS. `drop` removes the image; of exact duplicates
    one copy is kept, of near-duplicates one content, among the images that are left: test is
    preferred to validation to train, then the first by name.

    Args:
        table: table of images.
        found: their `findings`.
        policy: keep or drop for each finding.
    """
    actions = {"unreadable": "drop", "no_face": "drop", **policy.model_dump()}
    preferred = table.assign(rank=table["split"].map(PREFERENCE.index)).sort_values(
        ["rank", "name"]
    )
    reason = pd.Series("", index=table.index)
    for finding in found:
        if actions[finding] == "keep":
            continue
        left = preferred[(found[finding] & (reason == "")).loc[preferred.index]]
        gone = pd.Series(True, index=left.index)
        if finding == "exact_duplicates":
            gone = left.duplicated("content")
        elif finding == "near_duplicates":
            gone = left["content"] != left.groupby("group")["content"].transform("first")
        reason[gone.index[gone]] = finding
    return reason
