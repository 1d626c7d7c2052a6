"""What an ONNX file must be to read faces, and what it says of them."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import CLASSES, drawn_images
from drawn_photos import SIZE, model

from mien.errors import ModelError
from mien.inference.classify import BATCH, Classifier


def test_a_model_knows_its_classes_and_size_and_reads_faces():
    net = Classifier(model(), "tiny")
    assert (net.classes, net.size) == (CLASSES, SIZE)
    images, codes = drawn_images(2 * BATCH + 3)
    probabilities = net(images)
    assert probabilities.dtype == np.float32
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert np.array_equal(probabilities.argmax(axis=1), codes)


def test_no_faces_give_no_rows():
    assert Classifier(model(), "tiny")(np.empty((0, SIZE, SIZE), np.uint8)).shape == (0, 4)


def test_a_file_that_is_no_model_is_one_line():
    with pytest.raises(ModelError, match=r"no model that ONNX Runtime reads") as caught:
        Classifier(b"<html>", "page.onnx")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("strange", [model(told=False), model(output="scores")])
def test_a_model_of_another_make_is_refused(strange):
    with pytest.raises(ModelError, match="not exported by mien; expected the input `image`"):
        Classifier(strange, "other.onnx")


def test_the_runtime_of_the_models_keeps_no_identifier(tmp_path):
    """ONNX Runtime writes one where it is allowed to report its use."""
    (tmp_path / "tiny.onnx").write_bytes(model())
    home = tmp_path / "home"
    home.mkdir()
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    environment = {key: value for key, value in os.environ.items() if "TELEMETRY" not in key}
    code = "from mien.inference import models; models.load('tiny.onnx')"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment | places, check=True)
    assert list(home.rglob("*")) == []
