"""Which model is meant, and what it must be."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import CLASSES
from drawn_photos import model

from mien.errors import ModelError, TrackingError
from mien.inference import models

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(model())
    return path


def test_a_folder_stands_for_the_model_in_it(file):
    assert models.load(str(file.parent)).classes == CLASSES


def test_a_shipped_name_without_its_file_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "PRETRAINED", tmp_path)
    with pytest.raises(ModelError, match=r"fer7 does not come .* give --model models/export$"):
        models.load("fer7")


def test_a_wheel_brings_the_shipped_models(tmp_path):
    """From the wheel itself, unpacked nowhere: a wheel is a zip that Python can import."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / name)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=ignored)
    folder = tmp_path / "src/mien/pretrained"
    folder.mkdir(exist_ok=True)
    (folder / "fer7.onnx").write_bytes(model())
    (folder / "fer7.json").write_text('{"arch": "tiny"}')
    code = "from setuptools.build_meta import build_wheel as build; print(build('.'))"
    wheel = run(code, tmp_path).splitlines()[-1]
    assert "mien/pretrained/fer7.json" in zipfile.ZipFile(tmp_path / wheel).namelist()
    code = (
        f"import sys; sys.path.insert(0, {wheel!r}); from mien.inference import models\n"
        "print(models.__file__, models.load('fer7').classes)"
    )
    assert run(code, tmp_path) == f"{wheel}/mien/inference/models.py {CLASSES}\n"


def run(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_an_unknown_name_is_answered_with_what_there_is(tmp_path):
    with pytest.raises(
        ModelError,
        match=r"No such file.*; --model takes fer7, fer7-small, fer4, fer4-small, an \.onnx",
    ):
        models.load(str(tmp_path / "fer8"))


def test_without_a_store_mlflow_makes_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(TrackingError, match=r"no mlflow\.db in .*set MLFLOW_TRACKING_URI"):
        models.load("models:/mien@champion")
    assert not list(tmp_path.iterdir())
