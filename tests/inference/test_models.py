"""Which model is meant, and what it must be."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASSES, drawn_images
from drawn_photos import SIZE, model

from mien.errors import ModelError, TrackingError
from mien.inference import classify, models

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(model())
    return path


def test_a_model_knows_its_classes_and_size_and_reads_faces(file):
    net = models.load(str(file))
    assert (net.classes, net.size) == (CLASSES, SIZE)
    images, codes = drawn_images(2 * classify.BATCH + 3)
    probabilities = net(images)
    assert probabilities.dtype == np.float32
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert np.array_equal(probabilities.argmax(axis=1), codes)


def test_no_faces_give_no_rows(file):
    assert models.load(str(file))(np.empty((0, SIZE, SIZE), np.uint8)).shape == (0, 4)


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
    with pytest.raises(ModelError, match=r"No such file.*; --model takes fer4, fer7, an \.onnx"):
        models.load(str(tmp_path / "fer8"))


def test_a_file_that_is_no_model_is_one_line(file):
    file.write_bytes(b"<html>")
    with pytest.raises(ModelError, match=r"no model that ONNX Runtime reads") as caught:
        models.load(str(file))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("strange", [model(told=False), model(output="scores")])
def test_a_model_of_another_make_is_refused(file, strange):
    file.write_bytes(strange)
    with pytest.raises(ModelError, match="not exported by mien; expected the input `image`"):
        models.load(str(file))


def test_without_a_store_mlflow_makes_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(TrackingError, match=r"no mlflow\.db in .*set MLFLOW_TRACKING_URI"):
        models.load("models:/mien@champion")
    assert not list(tmp_path.iterdir())


def test_a_registered_model_gives_its_onnx_file(file, tmp_path, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    client.create_registered_model("mien")
    for folder, alias in ((file.parent / "exported", "champion"), (tmp_path / "other", "keras")):
        (folder / "data").mkdir(parents=True)
        (folder / "MLmodel").write_text("flavors: {}")
        if alias == "champion":
            (folder / "data/model.onnx").write_bytes(file.read_bytes())
        version = client.create_model_version("mien", folder.as_uri())
        client.set_registered_model_alias("mien", alias, version.version)
    assert models.load("models:/mien@champion").classes == CLASSES
    with pytest.raises(ModelError, match=r"expected one \.onnx file in the .* got 0"):
        models.load("models:/mien@keras")
    with pytest.raises(TrackingError, match=r"models:/mien@none: MLflow says: .*none") as caught:
        models.load("models:/mien@none")
    assert "\n" not in str(caught.value)
