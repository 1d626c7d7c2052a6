"""Raw images become grey faces; the audit's policy decides which are kept."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from mien.crops.detection import Detector
from mien.faces import GROUP, Faces, SpooledImages
from mien.params import Params
from mien.preparation import audit, audit_tables, duplicates, splits, votes
from mien.preparation.decoding import decode_all

# Of the raw file; the last four only where the source has some.
COLUMNS = ("name", "label", "split", "part", "subject", "groups", "votes")
# Rows of the source that are in memory at once.
ROWS = 2048


@dataclass(frozen=True)
class Prepared:
    """The audited images.

    Attributes:
        classes: names, in the order of the codes.
        table: table of all N images, see `mien.preparation.audit`.
        images: uint8, shape (N, S, S), grey.
        found: the images' findings, bool, a column each.
        reason: why each image is dropped, "" if it is kept.
        targets: FER+ votes as targets, float32, shape (N, C); None: the labels are the targets.
        summary: for metrics/audit.json.
    """

    classes: Sequence[str]
    table: pd.DataFrame
    images: SpooledImages
    found: pd.DataFrame
    reason: pd.Series
    targets: np.ndarray | None
    summary: dict[str, Any]


def prepare(raw: Path, params: Params, detector: Detector | None) -> Prepared:
    """Decode the images, find duplicates, complete the splits, and audit.

    Args:
        raw: the Parquet file of `ingest`: `name`, `label`, `split` and `data` of each image.
        params: `data`, `audit` and the seed.
        detector: finds the face in each photo; None if the images are face crops.

    Raises:
        ParamError: a class or the file of votes named in params does not exist.
        SourceError: a split has no image of a class.
    """
    stored = set(pq.read_schema(raw).names)
    columns = [name for name in COLUMNS if name in stored]
    index = pq.read_table(raw, columns=columns).to_pandas(maps_as_pydicts="strict")
    classes = audit.choose(index["label"], params.data.classes)
    chosen = index["label"].isin(classes)
    files = chosen_files(raw, classes)
    table, images = image_table(files, index[chosen].reset_index(drop=True), params, detector)
    found = audit.findings(table, params.data.image_size, params.audit)
    reason = audit.reasons(table, found, params.audit.policy)
    summary = audit_tables.summary(table, found, reason, classes)
    summary |= json.loads((pq.read_schema(raw).metadata or {}).get(b"mien", b"{}"))
    summary["other_classes"] = index.loc[~chosen, "label"].value_counts().to_dict()
    if detector:
        summary["detection"] = audit_tables.detection(table, detector)
    splits.check(summary["splits"])
    targets = None
    if params.data.ferplus is not None:
        shares = votes.read(params.data.ferplus, index["name"], classes)[chosen.to_numpy()]
        targets, summary["votes"] = votes.targets(shares, table["label"], classes)
    elif "votes" in table:
        shares = votes.shares(table["votes"], classes)
        targets, summary["votes"] = votes.targets(shares, table["label"], classes)
    return Prepared(classes, table, images, found, reason, targets, summary)


def chosen_files(raw: Path, classes: Sequence[str]) -> Iterator[list[bytes]]:
    """Yield the files of the chosen classes in batches, so that few are in memory."""
    for batch in pq.ParquetFile(raw).iter_batches(ROWS, columns=["label", "data"]):
        frame = batch.to_pandas()
        yield frame.loc[frame["label"].isin(classes), "data"].tolist()


def image_table(
    files: Iterable[Sequence[bytes]],
    index: pd.DataFrame,
    params: Params,
    detector: Detector | None,
) -> tuple[pd.DataFrame, SpooledImages]:
    """Return the table (see `mien.preparation.audit`) of N images, and the grey images."""
    decoded, images = decode_all(files, len(index), params.data.image_size, detector)
    table = pd.concat([index, decoded, audit.measures(images, decoded["readable"])], axis=1)
    group = duplicates.groups(images, table["content"], params.audit.near_distance)
    table["group"] = pd.Series(group, dtype="Int64").where(table["readable"])
    if params.data.resplit:
        table["split"] = pd.NA
    table["split"] = splits.complete(
        table["split"],
        table["label"],
        splits.joined(table["group"], table.get("subject")),
        table["part"] if "part" in table else pd.Series("", table.index),
        params.data.split.model_dump(),
        params.seed,
    )
    return table, images


def kept_faces(prepared: Prepared) -> Iterator[tuple[str, Faces]]:
    """Yield each split's name and the faces that are kept in it."""
    seen: set[int] = set()
    table, targets = prepared.table, prepared.targets
    for split in splits.SPLITS:
        rows = np.flatnonzero((table["split"] == split) & (prepared.reason == ""))
        kept = table.loc[rows, ["name", "label", "group"]].reset_index(drop=True)
        kept["label"] = pd.Categorical(kept["label"], categories=prepared.classes)
        kept = kept.astype({"group": np.int64}).assign(copy=0)
        kept["seen"] = kept["group"].isin(seen)
        seen |= set(kept["group"])
        # Scores always use the labels.
        learnt = targets[rows] if targets is not None and split == "train" else None
        if split == "test" and "groups" in table:
            # In no other split: they tell how scores differ, and have no part in training.
            named = pd.DataFrame([each or {} for each in table.loc[rows, "groups"]])
            kept = kept.join(named.add_prefix(GROUP))
        yield split, Faces(prepared.images.at(rows), kept, learnt)
