"""The stage ingest: a folder of pictures in, one file out, and a mistake ends in one line."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import drawn_images, encoded
from dvc.utils.serialize import dump_yaml, load_yaml
from stage_project import ROOT, run_stage

from mien.errors import MienError

RAW = Path("data/raw.parquet")


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """The working folder, with six pictures in `faces`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    images, _ = drawn_images(6)
    for row, image in enumerate(images):
        label = ("Happiness", "Sadness")[row // 2 % 2]
        path = tmp_path / "faces" / ("train", "test")[row % 2] / label / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(image))
    (tmp_path / "faces/notes.txt").write_text("x")
    return tmp_path


def ask_for(source: str, url: str | None = None) -> None:
    """Write params.yaml with this source."""
    values = load_yaml(ROOT / "params.yaml")
    values["data"] |= {"source": source, "url": url, "sha256": None}
    dump_yaml("params.yaml", values)


def launched() -> subprocess.CompletedProcess[str]:
    """Run the stage as DVC does."""
    return subprocess.run(
        [sys.executable, ROOT / "stages/ingest.py"],
        env=os.environ | {"DVC_STAGE": "ingest", "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_every_picture_is_written_and_what_is_none_is_told(project, capsys):
    ask_for("faces")
    run_stage("ingest")
    assert capsys.readouterr().out.splitlines() == [
        "ingest: left out files of other kinds (1): 'notes.txt'",
        "ingest: read as class folders: 3 train, 3 test; 2 classes: happy, sad",
    ]
    rows = pq.read_table(RAW).to_pylist()
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)
    for row in rows:
        assert row["label"] == {"Happiness": "happy", "Sadness": "sad"}[row["name"].split("/")[1]]
        assert row["split"] == row["name"].split("/")[0]
        assert row["data"] == Path("faces", row["name"]).read_bytes()
    written = RAW.read_bytes()
    RAW.unlink()
    assert launched().returncode == 0
    assert RAW.read_bytes() == written


def test_a_mistake_ends_in_one_line(project):
    ask_for("nowhere.zip")
    done = launched()
    assert done.returncode == 1
    assert done.stderr.startswith("ingest: nowhere.zip does not exist")
    assert len(done.stderr.splitlines()) == 1


def test_an_address_stands_in_for_the_source(project):
    ask_for("faces", "http://127.0.0.1:9/faces.zip")
    with pytest.raises(MienError, match=r"data.url http://127.0.0.1:9/.* cannot be downloaded"):
        run_stage("ingest")


def test_an_archive_that_breaks_half_way_leaves_no_file(project):
    with zipfile.ZipFile("spoilt.zip", "w") as target:
        target.writestr("happy/1.png", b"sound")
        target.writestr("sad/2.png", b"spoilt")
    path = Path("spoilt.zip")
    path.write_bytes(path.read_bytes().replace(b"spoilt", b"SPOILT"))
    ask_for("spoilt.zip")
    with pytest.raises(MienError, match=r"spoilt.zip is broken, cut short .*: Bad CRC"):
        run_stage("ingest")
    assert list(project.rglob("raw.*")) == []
