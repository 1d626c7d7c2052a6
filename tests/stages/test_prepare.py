"""The stage prepare: where faces, tables, charts and pictures go, and that they go there again."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pandas as pd
import pytest
from dvc.utils.serialize import dump_yaml, load_yaml
from made_source import planted, sound, write
from stage_project import ROOT, run_stage

from mien import faces
from mien.errors import MienError
from mien.preparation.splits import SPLITS


def lay(folder: Path) -> None:
    """Write into `folder` what the stage reads."""
    write(folder / "data/raw.parquet", [*sound(48), *planted()])
    values = load_yaml(ROOT / "params.yaml")
    values["audit"] |= {"near_distance": 12, "dark": 20, "bright": 240, "blurred": 50}
    dump_yaml(folder / "params.yaml", values)


def hashed(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    """A folder in which the stage has run."""
    folder = tmp_path_factory.mktemp("prepare")
    lay(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_stage("prepare")
    return folder


def test_the_faces_and_the_findings_add_up_to_what_the_audit_counts(done):
    counts = json.loads((done / "metrics/audit.json").read_text())
    kept = {split: faces.load(done / "data/faces" / split) for split in SPLITS}
    for split, of in kept.items():
        assert of.index["label"].value_counts().to_dict() == counts["splits"][split]
    findings = pd.read_csv(done / "reports/audit/findings.csv")
    gone = findings.loc[findings["action"] == "drop", "name"]
    assert len(gone) == counts["dropped"] > 0
    assert not set(gone) & {name for of in kept.values() for name in of.index["name"]}
    by_finding = pd.read_csv(done / "reports/audit/counts.csv").groupby("finding")["count"].sum()
    assert (
        by_finding.to_dict()
        == findings["finding"].value_counts().reindex(by_finding.index, fill_value=0).to_dict()
    )


def test_charts_go_to_the_reports_and_faces_to_the_pictures(done):
    reports = {path.name for path in (done / "reports/audit").iterdir()}
    pictures = {path.name for path in (done / "data/pictures/prepare").iterdir()}
    assert reports == {
        "classes.png", "counts.csv", "findings.csv", "findings.png",
        "mean.png", "sharpness.png", "std.png",
    }  # fmt: skip
    assert pictures == {
        "samples.png", "mean_faces.png", "blank.png", "colour.png", "resized.png",
        "exact_duplicates.png", "near_duplicates.png", "label_conflicts.png",
    }  # fmt: skip
    for path in [*done.glob("reports/audit/*.png"), *done.glob("data/pictures/prepare/*.png")]:
        assert cv2.imread(str(path)).std() > 1


def test_another_process_writes_the_same_bytes(done, tmp_path):
    lay(tmp_path)
    result = subprocess.run(
        [sys.executable, ROOT / "stages/prepare.py"],
        cwd=tmp_path,
        env=os.environ | {"DVC_STAGE": "prepare", "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert hashed(tmp_path) == hashed(done)


def test_with_detect_faces_photos_without_a_face_are_dropped(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lay(tmp_path)
    values = load_yaml("params.yaml")
    values["data"]["detect_faces"] = True
    dump_yaml("params.yaml", values)
    # No drawing of the source shows a face.
    with pytest.raises(MienError, match="is left with no image of happy"):
        run_stage("prepare")
