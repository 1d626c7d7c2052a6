"""The findings of the audit as tables and numbers; for the table of images see `audit`."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from mien.crops.detection import Detector
from mien.preparation.splits import SPLITS

# The column that the members of a group have in common, for findings of groups.
KEYS = {"label_conflicts": "group", "exact_duplicates": "content", "near_duplicates": "group"}


def report(table: pd.DataFrame, found: pd.DataFrame, reason: pd.Series) -> pd.DataFrame:
    """Return a row for each finding of each image, by name, then in the order of FINDINGS.

    Columns: `split`, `label`, `name`, `finding`, `group` (of duplicates, else null), `action` and
    `detail` (the measured value). `action` is drop in one row of each dropped image, that of
    its reason, and keep in all others.
    """
    parts = []
    for order, finding in enumerate(found):
        rows = table[found[finding]]
        parts.append(
            pd.DataFrame(
                {
                    "split": rows["split"],
                    "label": rows["label"],
                    "name": rows["name"],
                    "finding": finding,
                    "group": rows["group"] if finding in KEYS else pd.NA,
                    "action": np.where(reason[rows.index] == finding, "drop", "keep"),
                    "detail": _detail(rows, finding),
                    "order": order,
                }
            ).astype({"group": "Int64"})
        )
    return pd.concat(parts).sort_values(["name", "order"], ignore_index=True).drop(columns="order")


def _detail(rows: pd.DataFrame, finding: str) -> list[str]:
    """Return the measured values of the images with `finding`, as text."""
    match finding:
        case "unreadable" | "no_face":
            return [f"{size} bytes" for size in rows["bytes"]]
        case "blank":
            return [f"std {value:.2f}" for value in rows["std"]]
        case "dark" | "bright":
            return [f"mean {value:.1f}" for value in rows["mean"]]
        case "blurred":
            return [f"sharpness {value:.1f}" for value in rows["sharpness"]]
        case "colour":
            return [f"spread {value:.0f}" for value in rows["spread"]]
        case "resized":
            sides = zip(rows["width"], rows["height"], strict=True)
            return [f"{width:.0f}x{height:.0f}" for width, height in sides]
        case "label_conflicts":
            labels: dict[int, list[str]] = {}
            for (group, label), count in rows.groupby(["group", "label"]).size().items():
                labels.setdefault(group, []).append(f"{label} {count}")
            return [", ".join(labels[group]) for group in rows["group"]]
    copies = rows[KEYS[finding]].map(rows[KEYS[finding]].value_counts())
    return [f"{count} images" for count in copies]


def counts(table: pd.DataFrame, found: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return how many images have each finding: `split`, `class`, `finding`, `count`.

    Every combination has a row, in the order of FINDINGS, SPLITS and `classes`.
    """
    sums = found.groupby([table["split"], table["label"]]).sum()
    every = pd.MultiIndex.from_product([SPLITS, classes], names=["split", "class"])
    wide = sums.reindex(every, fill_value=0).reset_index()
    return wide.melt(["split", "class"], var_name="finding", value_name="count")


def summary(
    table: pd.DataFrame, found: pd.DataFrame, reason: pd.Series, classes: Sequence[str]
) -> dict[str, Any]:
    """Return the counts of metrics/audit.json, JSON-ready.

    `images` is `kept` + `dropped`; `dropped_by` counts the dropped by reason; `splits` counts
    the kept images. Findings are counted before the policy; for duplicates see `_groups`.
    """
    kept = table[reason == ""]
    sizes = kept.groupby(["split", "label"]).size()
    single = [finding for finding in found if finding not in KEYS]
    by_reason = reason[reason != ""].value_counts()
    return {
        "images": len(table),
        "kept": len(kept),
        "dropped": len(table) - len(kept),
        "dropped_by": {finding: int(by_reason.get(finding, 0)) for finding in found},
        **{finding: int(found[finding].sum()) for finding in single},
        "label_conflicts": {
            "groups": table.loc[found["label_conflicts"], "group"].nunique(),
            "images": int(found["label_conflicts"].sum()),
        },
        "exact_duplicates": _groups(table[found["exact_duplicates"]], "content"),
        "near_duplicates": _groups(table[found["near_duplicates"]], "group"),
        "splits": {
            split: {label: int(sizes.get((split, label), 0)) for label in classes}
            for split in SPLITS
        },
    }


def detection(table: pd.DataFrame, detector: Detector) -> dict[str, Any]:
    """Return the detector, and how many photos have several faces, of which one is kept."""
    several = table.loc[table["faces"] > 1, "faces"]
    return {
        "detector": detector.name,
        "photos_with_several_faces": len(several),
        "other_faces": int(several.sum() - len(several)),
    }


def _groups(rows: pd.DataFrame, key: str) -> dict[str, Any]:
    """Return the number of groups, of images in them, and of groups with several labels.

    `across_splits` counts the groups in several splits, `across` those in each pair of splits.
    """
    by_key = rows.groupby(key)
    where = {split: set(rows.loc[rows["split"] == split, key]) for split in SPLITS}
    return {
        "groups": by_key.ngroups,
        "images": len(rows),
        "across_splits": int(by_key["split"].nunique().gt(1).sum()),
        "across": {
            f"{one}_{two}": len(where[one] & where[two]) for one, two in combinations(SPLITS, 2)
        },
        "label_conflicts": int(by_key["label"].nunique().gt(1).sum()),
    }
