"""Raw images become grey squares; the audit's findings and the policy decide which are kept."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from entry import STAGE, run, write_json
from mien import audit, audit_report, duplicates, faces, splits, votes
from mien.decoding import decode_all
from mien.inference import detection
from mien.inference.detection import Detector
from mien.params import Params
from mien.plots.audit import charts
from mien.plots.audit_pictures import pictures

RAW = Path("data/raw.parquet")
REPORTS = Path("reports/audit")
PICTURES = Path("data/pictures/prepare")


def files(classes: Sequence[str]) -> Iterator[list[bytes]]:
    """Yield the files of the chosen classes, a batch at a time, so that few are in memory."""
    for batch in pq.ParquetFile(RAW).iter_batches(2048, columns=["label", "data"]):
        frame = batch.to_pandas()
        yield frame.loc[frame["label"].isin(classes), "data"].tolist()


def read(
    params: Params, classes: Sequence[str], index: pd.DataFrame, detector: Detector | None
) -> tuple[pd.DataFrame, faces.Squares]:
    """Return the table of images (see mien.audit) and the grey images, N of each."""
    decoded, images = decode_all(files(classes), len(index), params.data.image_size, detector)
    table = pd.concat([index, decoded, audit.measures(images, decoded["readable"])], axis=1)
    group = duplicates.groups(images, table["content"], params.audit.near_distance)
    table["group"] = pd.Series(group, dtype="Int64").where(table["readable"])
    if params.data.resplit:
        table["split"] = pd.NA
    table["split"] = splits.complete(
        table["split"], table["label"], table["group"], params.data.split.model_dump(), params.seed
    )
    return table, images


def main(params: Params) -> None:
    """Decode, find, split, apply the policy, save what is kept and tell the rest."""
    # Not above: `mien` tells OpenCV the largest image that it may decode, and has to come first.
    import cv2

    # The audit names what cannot be decoded; the lines OpenCV writes of it name no file.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    index = pq.read_table(RAW, columns=["name", "label", "split"]).to_pandas()
    classes = audit.choose(index["label"], params.data.classes)
    chosen = index["label"].isin(classes)
    detector, note = detection.best() if params.data.detect_faces else (None, None)
    if note:
        print(f"{STAGE}: {note}", file=sys.stderr)
    table, images = read(params, classes, index[chosen].reset_index(drop=True), detector)
    found = audit.findings(table, params.data.image_size, params.audit)
    reason = audit.reasons(table, found, params.audit.policy)
    summary = audit_report.summary(table, found, reason, classes)
    summary["other_classes"] = index.loc[~chosen, "label"].value_counts().to_dict()
    if detector:
        several = table.loc[table["faces"] > 1, "faces"]
        summary["detection"] = {
            "detector": detector.name,
            "photos_with_several_faces": len(several),
            "other_faces": int(several.sum() - len(several)),
        }
    splits.check(summary["splits"])

    targets = None
    if params.data.ferplus is not None:
        shares = votes.read(params.data.ferplus, index["name"], classes)[chosen.to_numpy()]
        targets, summary["votes"] = aims(shares, table["label"], classes)
    seen: set[int] = set()
    for split in splits.SPLITS:
        rows = np.flatnonzero((table["split"] == split) & (reason == ""))
        kept = table.loc[rows, ["name", "label", "group"]].reset_index(drop=True)
        kept["label"] = pd.Categorical(kept["label"], categories=classes)
        kept = kept.astype({"group": np.int64}).assign(copy=0)
        kept["seen"] = kept["group"].isin(seen)
        seen |= set(kept["group"])
        # What models are judged by stays the label.
        aimed = targets[rows] if targets is not None and split == "train" else None
        faces.save(faces.Faces(images.at(rows), kept, aimed), Path("data/faces", split))
    REPORTS.mkdir(parents=True, exist_ok=True)
    audit_report.report(table, found, reason).to_csv(REPORTS / "findings.csv", index=False)
    audit_report.counts(table, found, classes).to_csv(REPORTS / "counts.csv", index=False)
    write_json(Path("metrics/audit.json"), summary)
    charts(table, found, reason, classes, REPORTS)
    pictures(table, images, found, reason, classes, PICTURES)


def aims(
    shares: np.ndarray, labels: pd.Series, classes: Sequence[str]
) -> tuple[np.ndarray, dict[str, int]]:
    """Return the targets, (N, C), the label where there is no vote, and how far votes agree."""
    own = np.eye(len(classes), dtype=np.float32)[pd.Categorical(labels, classes).codes]
    voted = shares.sum(axis=1) > 0
    agree = voted & (shares.argmax(axis=1) == own.argmax(axis=1))
    counts = {"images": int(voted.sum()), "agree": int(agree.sum()), "none": int((~voted).sum())}
    return np.where(voted[:, None], shares, own), counts


if __name__ == "__main__":
    run(main)
