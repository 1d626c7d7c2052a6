"""The stage itself, as DVC runs it, in a folder of its own."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from conftest import drawn_images, encoded

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ingest(tmp_path):
    """Return a function that runs the stage on a source, in tmp_path."""

    def run(source, **data):
        params = yaml.safe_load((ROOT / "params.yaml").read_text())
        params["data"] |= {"source": str(source), "url": None, "sha256": None} | data
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
        return subprocess.run(
            [sys.executable, ROOT / "stages/ingest.py"],
            cwd=tmp_path,
            env={**os.environ, "DVC_ROOT": str(tmp_path), "DVC_STAGE": "ingest"},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.fixture
def faces_folder(tmp_path):
    images, _ = drawn_images(6)
    for row, image in enumerate(images):
        path = tmp_path / "faces" / ("train", "test")[row % 2] / "Happiness" / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(image))
    (tmp_path / "faces/notes.txt").write_text("x")
    return tmp_path / "faces"


def test_the_table_holds_every_picture_untouched_and_sorted(ingest, faces_folder, tmp_path):
    done = ingest(faces_folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "ingest: ignored what is no picture (1): 'notes.txt'",
        "ingest: 6 images: 3 train, 3 test",
    ]
    table = pq.read_table(tmp_path / "data/raw.parquet")
    assert [(f.name, str(f.type)) for f in table.schema] == [
        ("name", "string"),
        ("label", "string"),
        ("split", "string"),
        ("data", "binary"),
    ]
    rows = table.to_pylist()
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)
    for row in rows:
        assert row["label"] == "happy"
        assert row["split"] == row["name"].split("/")[0]
        assert row["data"] == (faces_folder / row["name"]).read_bytes()


def test_two_runs_write_the_same_bytes(ingest, faces_folder, tmp_path):
    raw = tmp_path / "data/raw.parquet"
    assert ingest(faces_folder).returncode == 0
    first = raw.read_bytes()
    raw.unlink()
    assert ingest(faces_folder).returncode == 0
    assert raw.read_bytes() == first


@pytest.mark.parametrize(
    ("source", "data", "message"),
    [
        ("nowhere.zip", {}, "ingest: nowhere.zip does not exist"),
        ("bad.csv", {}, "ingest: bad.csv: row 1: expected an emotion code 0 to 6, got '9'"),
        ("bad.zip", {}, "ingest: bad.zip is broken, cut short or no zip or tar"),
        # Found only when half of the table is written.
        ("spoilt.zip", {}, "ingest: spoilt.zip is broken, cut short or no zip or tar: Bad CRC"),
        (".", {"url": "http://127.0.0.1:9/faces.zip"}, "ingest: data.url http://127.0.0.1:9/"),
    ],
)
def test_a_mistake_ends_in_one_line(ingest, tmp_path, source, data, message):
    (tmp_path / "bad.csv").write_text("emotion,pixels\n9,1\n")
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 cut off")
    with zipfile.ZipFile(tmp_path / "spoilt.zip", "w") as target:
        target.writestr("happy/1.png", b"sound")
        target.writestr("happy/2.png", b"spoilt")
    whole = (tmp_path / "spoilt.zip").read_bytes()
    (tmp_path / "spoilt.zip").write_bytes(whole.replace(b"spoilt", b"SPOILT"))
    done = ingest(source, **data)
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.rglob("raw.*")] == []
