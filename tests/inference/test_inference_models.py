"""Which model is meant, and what it must be."""

import numpy as np
import pytest
from conftest import CLASSES, drawn_images
from drawn_photos import SIZE, model

from mien.errors import ModelError, TrackingError
from mien.inference import classify, models


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


def test_a_shipped_name_stands_for_its_file(file, monkeypatch):
    monkeypatch.setattr(models, "PRETRAINED", file.parent)
    with pytest.raises(ModelError, match=r"fer7 does not come with this copy of mien; name a file"):
        models.load("fer7")
    file.rename(file.with_name("fer7.onnx"))
    assert models.load("fer7").classes == CLASSES


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
