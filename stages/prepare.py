"""prepare: raw images become grey faces in three splits, filtered by the audit's policy."""

from pathlib import Path

from entry import run
from mien import faces, figures
from mien.crops import detection
from mien.params import Params
from mien.preparation import audit_tables
from mien.preparation.charts import charts
from mien.preparation.prepare import kept_faces, prepare
from mien.preparation.sheets import sheets
from mien.project import write_json

REPORTS = Path("reports/audit")


def main(params: Params) -> None:
    """Write the splits, the audit's tables and charts, and sheets of faces."""
    # Not at the top: `mien` must be imported first, because it sets OpenCV's limit on image size.
    import cv2

    # The audit reports files that cannot be decoded; OpenCV's own messages name no file.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    detector = detection.YuNet() if params.data.detect_faces else None
    made = prepare(Path("data/raw.parquet"), params, detector)
    for split, kept in kept_faces(made):
        faces.save(kept, Path("data/faces", split))
    REPORTS.mkdir(parents=True, exist_ok=True)
    about = made.table, made.found, made.reason
    audit_tables.report(*about).to_csv(REPORTS / "findings.csv", index=False)
    counts = audit_tables.counts(made.table, made.found, made.classes)
    counts.to_csv(REPORTS / "counts.csv", index=False)
    write_json(Path("metrics/audit.json"), made.summary)
    for name, figure in charts(*about, made.classes):
        figures.save(figure, REPORTS / f"{name}.png")
    drawn = sheets(made.table, made.images, made.found, made.reason, made.classes)
    for name, figure in drawn:
        figures.save(figure, Path("data/pictures/prepare", f"{name}.png"))


if __name__ == "__main__":
    run(main)
