"""The champion as ONNX: registered once, served without TensorFlow, read by `mien predict`."""

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES, drawn_images, encoded
from drawn_photos import exported, photo, write
from made_state import client, evaluation, made, project, runs
from mlflow import MlflowClient

from mien import cli, tracking
from mien.inference import classify
from mien.tracking import champion as champion_module

MODEL = "models:/mien@champion"
FACES, CODES = drawn_images(classify.BATCH + 3)


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    root = project(tmp_path, monkeypatch)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root}/mlflow.db")
    # Loading puts the model's own copy of the code before everything else.
    monkeypatch.setattr(sys, "path", list(sys.path))
    return root


def track(root: Path, *models: tracking.TrackedModel, **options) -> None:
    """Track a state whose champion, the first model, is exported unless told otherwise."""
    folder = options.pop("folder", Path("models/export"))
    champion = models[0].record["name"]
    tracking.track(models, evaluation(*models, champion=champion), root, folder)


def photos(*images: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"image": [base64.b64encode(encoded(one)).decode() for one in images]})


def versions(root: Path) -> list[int]:
    return sorted(int(one.version) for one in client(root).search_model_versions("name = 'mien'"))


def champion(root: Path) -> int:
    return int(client(root).get_model_version_by_alias("mien", "champion").version)


def test_the_champion_answers_what_its_onnx_file_does(root):
    track(root, made(), folder=exported())
    expected = classify.Classifier(Path("models/export/model.onnx").read_bytes(), "tiny")(FACES)
    served = mlflow.pyfunc.load_model(MODEL).predict(photos(*FACES))
    assert list(served.columns) == ["x", "y", "w", "h", "emotion", "confidence", *CLASSES]
    np.testing.assert_allclose(served[list(CLASSES)], expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(served["confidence"], expected.max(axis=1), rtol=0, atol=1e-6)
    assert list(served["emotion"]) == [CLASSES[code] for code in CODES]
    assert served[["x", "y", "w", "h"]].drop_duplicates().to_numpy().tolist() == [[0, 0, 48, 48]]


def test_text_in_lines_and_bytes_are_answered_alike(root):
    track(root, made(), folder=exported())
    model = mlflow.pyfunc.load_model(MODEL)
    files = [encoded(face, ".jpg") for face in FACES[:4]]
    lines = pd.DataFrame({"image": [base64.encodebytes(file).decode() for file in files]})
    assert "\n" in lines["image"][0].strip()
    pd.testing.assert_frame_equal(
        model.predict(lines), model.predict(pd.DataFrame({"image": files}))
    )


def test_of_a_photo_the_largest_face_is_read(root, capsys):
    track(root, made(), folder=exported())
    capsys.readouterr()
    # The first from the left is the smaller one.
    two, none = photo(400, 640, (30, 30, 120, 0), (330, 100, 260, 0)), photo(200, 200)
    served = mlflow.pyfunc.load_model(MODEL).predict(photos(two, none), params={"detect": True})
    found, missing = served.to_dict("records")
    assert 330 < found["x"] < found["x"] + found["w"] < 590
    assert found["emotion"] == max(CLASSES, key=found.__getitem__)
    assert missing == dict.fromkeys(missing, 0) | {"emotion": ""}
    assert capsys.readouterr().err == ""


def test_serving_needs_no_tensorflow_and_no_other_copy_of_this_package(root):
    track(root, made(), folder=exported())
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


def test_the_registered_model_is_pinned_without_keras_and_holds_no_pickle(root):
    track(root, made(), folder=exported())
    source = client(root).get_model_version_by_alias("mien", "champion").source
    folder = Path(mlflow.artifacts.download_artifacts(source))
    assert not [*folder.rglob("*.pkl"), *folder.rglob("*.pyc"), *folder.rglob("*.h5")]
    assert {path.name for path in (folder / "artifacts").iterdir()} == {"model.onnx", "card.json"}
    # Neither the nets that come with this package.
    assert len([*folder.rglob("*.onnx")]) == 1
    requirements = dict(
        line.split("==") for line in (folder / "requirements.txt").read_text().split()
    )
    assert {"mlflow", "onnxruntime", "opencv-python-headless"} <= set(requirements)
    assert not {"keras", "tensorflow"} & set(requirements)


def test_predict_reads_photos_with_the_registered_champion(root, capsys):
    track(root, made(), folder=exported())
    write(Path("face.png"), FACES[1])
    capsys.readouterr()
    cli.main(["predict", "face.png", "--no-detect", "--model", MODEL, "--format", "json"])
    (told,) = json.loads(capsys.readouterr().out)
    (served,) = mlflow.pyfunc.load_model(MODEL).predict(photos(FACES[1])).to_dict("records")
    (face,) = told["faces"]
    assert (face["emotion"], face["confidence"]) == (served["emotion"], served["confidence"])
    assert face["probabilities"] == {label: served[label] for label in CLASSES}


def test_the_alias_returns_to_the_version_of_a_champion_that_returns(root):
    one, two, folder = made(), made("other", b"two"), exported()
    seen = []
    for state in ((one, two), (two, one), (one, two), (one, two)):
        track(root, *state, folder=folder)
        seen.append(champion(root))
    assert seen == [1, 2, 1, 1]
    assert versions(root) == [1, 2]


def test_another_export_of_the_same_model_is_another_version(root):
    model, seen = made(), []
    for card in ({}, {"method": "mean"}, {}):
        track(root, model, folder=exported(**card))
        seen.append(champion(root))
    assert seen == [1, 2, 1]
    (run,) = runs(root, "train")
    assert len(run.outputs.model_outputs) == 3
    assert all(one.run_id == run.info.run_id for one in client(root).search_model_versions())


def test_another_way_of_reading_images_is_another_version(root, monkeypatch):
    model, folder = made(), exported()
    track(root, model, folder=folder)
    package = shutil.copytree(champion_module.HERE.parent, root / "mien")
    with (package / "tracking/served_onnx.py").open("a") as code:
        code.write("# Changed.\n")
    with monkeypatch.context() as patch:
        patch.setattr(champion_module, "HERE", package / "tracking")
        track(root, model, folder=folder)
    assert (champion(root), versions(root)) == (2, [1, 2])


def test_a_champion_that_onnx_cannot_hold_is_registered_as_keras(root, capsys):
    model, seen = made(), []
    for folder in (None, exported(), None):
        track(root, model, folder=folder)
        seen.append(champion(root))
    assert seen == [1, 2, 1]
    said = [line for line in capsys.readouterr().err.splitlines() if "the champion," in line]
    assert ["as Keras" in line for line in said] == [True, False, True]
    keras, onnx = (client(root).get_model_version("mien", number) for number in (1, 2))
    assert "as Keras" in keras.description
    assert "as ONNX" in onnx.description


@pytest.mark.parametrize(
    "step",
    [
        "log_model_artifacts",
        "finalize_logged_model",
        "log_outputs",
        "create_model_version",
        "set_registered_model_alias",
    ],
)
def test_a_registration_killed_before_a_step_is_completed_without_a_second_model(
    root, monkeypatch, step
):
    model = made()
    track(root, model, folder=None)

    def killed(*arguments, **options):
        raise KeyboardInterrupt

    folder = exported()
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, step, killed)
        with pytest.raises(KeyboardInterrupt):
            track(root, model, folder=folder)
    for _ in range(2):
        track(root, model, folder=exported())
    assert versions(root) == [1, 2]
    assert champion(root) == 2
    (run,) = runs(root, "train")
    logged = client(root).search_logged_models([run.info.experiment_id])
    assert sorted((one.name, one.status) for one in logged) == [
        ("train", "READY"),
        ("train_onnx", "READY"),
    ]
    assert sorted(one.model_id for one in run.outputs.model_outputs) == sorted(
        one.model_id for one in logged
    )
    model = mlflow.pyfunc.load_model(MODEL)
    assert len(model.predict(photos(*FACES[:2]))) == 2
