"""The champion as ONNX: served without TensorFlow, and read by `mien predict`."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES, drawn_images, encoded
from drawn_photos import exported, photo, write
from made_state import client, evaluation, made, project

from mien import cli, tracking
from mien.crops import detection
from mien.errors import ModelError, TrackingError
from mien.inference import classify, models

MODEL = "models:/mien@champion"
FACES, CODES = drawn_images(classify.BATCH + 3)


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Path]:
    """Enter a project whose champion is registered as ONNX; no test may change it."""
    with pytest.MonkeyPatch.context() as patch:
        root = project(tmp_path_factory.mktemp("served"), patch)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root}/mlflow.db")
        # Loading puts the model's own copy of the code before everything else.
        patch.setattr(sys, "path", list(sys.path))
        model = made()
        tracking.track([model], evaluation(model), root, exported())
        yield root


def photos(*images: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"image": [base64.b64encode(encoded(one)).decode() for one in images]})


def test_the_champion_answers_what_its_onnx_file_does(served):
    expected = classify.Classifier(Path("models/export/model.onnx").read_bytes(), "tiny")(FACES)
    served = mlflow.pyfunc.load_model(MODEL).predict(photos(*FACES))
    assert list(served.columns) == ["x", "y", "w", "h", "emotion", "confidence", *CLASSES]
    np.testing.assert_allclose(served[list(CLASSES)], expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(served["confidence"], expected.max(axis=1), rtol=0, atol=1e-6)
    assert list(served["emotion"]) == [CLASSES[code] for code in CODES]
    assert served[["x", "y", "w", "h"]].drop_duplicates().to_numpy().tolist() == [[0, 0, 48, 48]]


def test_text_in_lines_and_bytes_are_answered_alike(served):
    model = mlflow.pyfunc.load_model(MODEL)
    files = [encoded(face, ".jpg") for face in FACES[:4]]
    lines = pd.DataFrame({"image": [base64.encodebytes(file).decode() for file in files]})
    assert "\n" in lines["image"][0].strip()
    pd.testing.assert_frame_equal(
        model.predict(lines), model.predict(pd.DataFrame({"image": files}))
    )


def test_of_a_photo_the_largest_face_is_read(served, capsys):
    # The first from the left is the smaller one.
    two, none = photo(400, 640, (30, 30, 120, 0), (330, 100, 260, 0)), photo(200, 200)
    served = mlflow.pyfunc.load_model(MODEL).predict(photos(two, none), params={"detect": True})
    found, missing = served.to_dict("records")
    assert 330 < found["x"] < found["x"] + found["w"] < 590
    assert found["emotion"] == max(CLASSES, key=found.__getitem__)
    assert missing == dict.fromkeys(missing, 0) | {"emotion": ""}
    assert capsys.readouterr().err == ""


def test_serving_needs_no_tensorflow_and_no_other_copy_of_this_package(served):
    photos(*FACES[:2]).to_parquet("faces.parquet")
    code = (
        "import sys, mlflow, pandas; sys.path = [p for p in sys.path if not p.endswith('/src')]\n"
        f"mlflow.pyfunc.load_model('{MODEL}').predict(pandas.read_parquet('faces.parquet'))\n"
        "import mien; print(mien.__file__)\n"
        "print(sorted({'keras', 'tensorflow', 'torch', 'jax'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    place, imported = done.stdout.splitlines()
    assert "/code/mien/" in place
    assert imported == "[]"


def test_predict_reads_photos_with_the_registered_champion(served, capsys):
    write(Path("face.png"), FACES[1])
    cli.main(["predict", "face.png", "--no-detect", "--model", MODEL, "--format", "json"])
    (told,) = json.loads(capsys.readouterr().out)
    (served,) = mlflow.pyfunc.load_model(MODEL).predict(photos(FACES[1])).to_dict("records")
    (face,) = told["faces"]
    assert (face["emotion"], face["confidence"]) == (served["emotion"], served["confidence"])
    assert face["probabilities"] == {label: served[label] for label in CLASSES}


def test_the_registered_model_is_pinned_without_keras_and_holds_no_pickle(served):
    source = client(served).get_model_version_by_alias("mien", "champion").source
    folder = Path(mlflow.artifacts.download_artifacts(source))
    assert not [*folder.rglob("*.pkl"), *folder.rglob("*.pyc"), *folder.rglob("*.h5")]
    assert {path.name for path in (folder / "artifacts").iterdir()} == {"model.onnx", "card.json"}
    # The package's code has the face detector, but not the models that come with it.
    names = {path.name for path in folder.rglob("*.onnx")}
    assert names == {"model.onnx", detection.FILE.name}
    requirements = dict(
        line.split("==") for line in (folder / "requirements.txt").read_text().split()
    )
    assert {"mlflow", "onnxruntime", "opencv-python-headless"} <= set(requirements)
    assert not {"keras", "tensorflow"} & set(requirements)


def test_a_registered_model_without_one_onnx_file_and_an_unknown_one_are_one_line(served, tmp_path):
    assert models.load(MODEL).classes == CLASSES
    (tmp_path / "MLmodel").write_text("flavors: {}")
    client(served).create_registered_model("other")
    client(served).create_model_version("other", tmp_path.as_uri())
    with pytest.raises(ModelError, match=r"expected one \.onnx file in the .* got 0"):
        models.load("models:/other/1")
    with pytest.raises(TrackingError, match=r"models:/mien@none: MLflow says: .*none") as caught:
        models.load("models:/mien@none")
    assert "\n" not in str(caught.value)
