"""`make serve MODEL=fer7`: a shipped model behind a real server, without a project."""

import base64
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import cv2
import pytest
import serve
from conftest import encoded, served
from drawn_photos import photo

from mien.crops.detection import YuNet
from mien.inference import models
from mien.inference.reader import Reader
from mien.tracking import registered

SERVE = Path(__file__).parents[2] / "scripts/serve.py"
TWO = photo(400, 640, (40, 30, 160, 0), (330, 120, 240, 0))


@pytest.fixture
def address(tmp_path):
    with served([sys.executable, str(SERVE), "PORT", "fer7"], tmp_path) as port:
        yield f"http://127.0.0.1:{port}/invocations"


def test_a_shipped_model_answers_what_the_reader_does(address):
    image = base64.b64encode(encoded(TWO)).decode()
    asked = {"dataframe_records": [{"image": image}], "params": {"detect": True}}
    request = urllib.request.Request(
        address, json.dumps(asked).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        (told,) = json.load(answer)["predictions"]
    faces = Reader(models.load("fer7"), YuNet()).read(
        cv2.imdecode(cv2.imencode(".png", TWO)[1], cv2.IMREAD_COLOR)
    )
    largest = max(faces, key=lambda face: face.box[2] * face.box[3])
    assert [told[side] for side in "xywh"] == [*largest.box]
    shares = {label: told[label] for label in largest.probabilities}
    assert shares == pytest.approx(largest.probabilities, abs=1e-5)


@pytest.mark.parametrize("drawn", [True, False])
def test_a_champion_of_drawn_faces_is_served_with_a_warning(drawn, monkeypatch, capsys):
    def download(model, folder, root):
        (folder / "artifacts").mkdir()
        (folder / "artifacts/card.json").write_text(json.dumps({"drawn": drawn}))

    monkeypatch.setattr(registered, "download", download)
    assert serve._registered("models:/mien@champion", Path.cwd()) == "models:/mien@champion"
    warned = capsys.readouterr().err
    assert warned.count("\n") == drawn
    assert ("make serve MODEL=fer7" in warned) == drawn


def test_an_unknown_model_is_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, str(SERVE), "5001", "fer9"],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "serve: MODEL=fer9: no such model; expected fer7, fer7-small, fer4, fer4-small, "
        "models:/NAME@ALIAS\n"
    )
