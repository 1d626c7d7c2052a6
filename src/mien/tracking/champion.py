"""Models in MLflow: logged so that they can be served; the champion is registered."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Run
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec

from mien import tracking
from mien.errors import TrackingError
from mien.tracking.notes import about_version
from mien.tracking.runs import log_headlines
from mien.tracking.store import Store

REGISTERED = "mien"
CHAMPION, CHALLENGER = "champion", "challenger"
ABOUT = """Reads the expression on a face.

The alias `champion` stands on the workspace's best model on validation, `challenger` on that of the
last experiment (`dvc exp run`); `mien promote` makes it the champion. The description of a
version tells what it takes."""
ONNX = """The champion {name} as ONNX; docs/serving.md tells how to serve it.

Input: a column `image`, image files as base64 text or bytes, and the param `detect`. Output: for
each image a box, `emotion`, `confidence` and a column of probabilities per class."""
KERAS = """The champion {name} as Keras: ONNX cannot represent it (reason in metrics/export.json).

Input: faces, uint8, shape (N, S, S), grey 0 to 255. Output: a column of probabilities per class."""
HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent
# It belongs to inference and imports nothing of the pipeline.
SERVED_ONNX = PACKAGE / "inference" / "served_onnx.py"
SERVED_WITH = ("mlflow", "numpy", "onnxruntime", "opencv-python-headless", "pandas", "pillow")


def log_model(store: Store, run: Run, trained: tracking.TrackedModel) -> str:
    """Log the model as an output of its run and return its id. Does not import TensorFlow."""
    spec = trained.record["spec"]
    side = spec["image_size"]
    nets = trained.members or [trained]
    backends = sorted({net.record["params"]["train"]["backend"] for net in nets})
    return _logged(
        store,
        run,
        trained.record["name"],
        tracking.key(trained.record),
        code=HERE / "served_model.py",
        artifacts={"model": trained.folder}
        | {member.record["name"]: member.folder for member in trained.members},
        packages=("mlflow", "keras", *backends, "numpy", "pandas"),
        signature=ModelSignature(
            Schema([TensorSpec(np.dtype("uint8"), (-1, side, side))]),
            Schema([ColSpec("float", label) for label in spec["classes"]]),
        ),
        example=_grey(side)[np.newaxis],
    )


def register(
    store: Store,
    run: Run,
    model: tracking.TrackedModel,
    exported: Path | None,
    card: str,
    alias: str,
) -> str:
    """Put the alias on the model's version, made if there is none; return in one line what changed.

    Args:
        store: where the models lie.
        run: the model's finished run.
        model: the best one of a state.
        exported: folder of its `model.onnx` and `card.json`; None: it is registered as Keras.
        card: its model card, Markdown, for the notes of a new version.
        alias: `champion` or `challenger`.
    """
    client = store.client
    try:
        client.create_registered_model(REGISTERED, description=ABOUT)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    # A model's record does not contain how it was exported, nor the code that reads images.
    key, served = run.data.tags["mien.key"], _digest(exported) if exported else "keras"
    found = [
        one.version
        for one in client.search_model_versions(
            f"name = '{REGISTERED}' and tags.`mien.key` = '{key}'"
        )
        if one.tags.get("mien.served", "keras") == served
    ]
    number = str(found[0] if found else _new_version(store, run, model, exported, served, card))
    about = {
        "mien.name": model.id.name,
        "mien.validation_macro_f1": f"{model.validation['macro_f1']:.4f}",
        "mien.data": model.record["data"].get("data/faces/validation", ""),
    }
    for tag, value in about.items():
        client.set_model_version_tag(REGISTERED, number, tag, value)
    return _moved(client, alias, number)


def promote_challenger(store: Store) -> str:
    """Put `champion` on the version of `challenger`; return in one line what changed.

    Raises:
        TrackingError: there is no challenger.
    """
    try:
        challenger = store.client.get_model_version_by_alias(REGISTERED, CHALLENGER)
    except MlflowException as error:
        raise TrackingError(
            "there is no challenger to promote; the best model of a `dvc exp run` becomes one"
        ) from error
    return _moved(store.client, CHAMPION, str(challenger.version))


def _moved(client: MlflowClient, alias: str, number: str) -> str:
    """Put the alias on a version; return where it was, both scores, and whether the data differ."""
    aliases = client.get_registered_model(REGISTERED).aliases
    before = aliases.get(alias)
    if str(before) == number:
        return f"{alias} stays {_told(client, number)}"
    client.set_registered_model_alias(REGISTERED, alias, number)
    if before is None:
        return f"{alias} is now {_told(client, number)}"
    old, new = (client.get_model_version(REGISTERED, str(one)).tags for one in (before, number))
    same = "the same" if old.get("mien.data") == new.get("mien.data") else "other"
    return (
        f"{alias} moved from {_told(client, str(before))} to {_told(client, number)}, measured on "
        f"{same} validation images"
    )


def _told(client: MlflowClient, number: str) -> str:
    tags = client.get_model_version(REGISTERED, number).tags
    score = tags.get("mien.validation_macro_f1", "unknown")
    return f"{tags.get('mien.name', 'a model')} (version {number}, validation macro-F1 {score})"


def _new_version(
    store: Store,
    run: Run,
    model: tracking.TrackedModel,
    exported: Path | None,
    served: str,
    card: str,
) -> str:
    client, name = store.client, model.id.name
    if exported:
        model_id = _log_onnx(store, run, name, exported, served)
        log_headlines(store, run, model_id)
    else:
        model_id = log_model(store, run, model)
    number = client.create_model_version(
        REGISTERED,
        # Not `models:/ID`: with a database it would be looked up in the process's global store.
        client.get_logged_model(model_id).artifact_location,
        run_id=run.info.run_id,
        model_id=model_id,
        description=about_version((ONNX if exported else KERAS).format(name=name), card),
        tags={"mien.key": run.data.tags["mien.key"], "mien.served": served},
    ).version
    # The pages of the run and of the model show this as the registered version.
    versions = json.dumps([{"name": REGISTERED, "version": number}])
    client.set_logged_model_tags(model_id, {"mlflow.modelVersions": versions})
    return number


def _log_onnx(store: Store, run: Run, name: str, exported: Path, served: str) -> str:
    card = json.loads((exported / "card.json").read_text())
    return _logged(
        store,
        run,
        f"{name}_onnx",
        served,
        code=SERVED_ONNX,
        artifacts={"model": exported / "model.onnx", "card": exported / "card.json"},
        packages=SERVED_WITH,
        signature=_onnx_signature(card["classes"]),
        example=(pd.DataFrame({"image": [_picture()]}), {"detect": False}),
    )


def save_onnx(model: Path, card: Path, folder: Path) -> None:
    """Write an ONNX file and its card into `folder`, which MLflow can serve without a store."""
    mlflow.pyfunc.save_model(
        folder,
        python_model=str(SERVED_ONNX),
        artifacts={"model": str(model), "card": str(card)},
        pip_requirements=[f"{package}=={version(package)}" for package in SERVED_WITH],
        signature=_onnx_signature(json.loads(card.read_text())["classes"]),
    )


def _onnx_signature(classes: Sequence[str]) -> ModelSignature:
    box = [ColSpec("long", side) for side in "xywh"]
    shares = [ColSpec("double", name) for name in ("confidence", *classes)]
    return ModelSignature(
        Schema([ColSpec("string", "image")]),
        Schema([*box, ColSpec("string", "emotion"), *shares]),
        ParamSchema([ParamSpec("detect", "boolean", False)]),
    )


def _picture() -> str:
    """Return a drawn image of 48 by 48 pixels as base64 text; an example shows no person."""
    done, png = cv2.imencode(".png", _grey(48))
    return base64.b64encode(png.tobytes()).decode() if done else ""


def _grey(side: int) -> np.ndarray:
    """Return an image that is dark at the top left and bright at the bottom right, uint8."""
    ramp = np.linspace(0, 127, side)
    return (ramp[:, np.newaxis] + ramp).astype(np.uint8)


def _digest(exported: Path) -> str:
    """Return a hash of all that affects a version's output: its files, the code for images."""
    folders = ("crops/*.onnx", "crops/*.py", "inference/*.py")
    code = [PACKAGE / "errors.py", *(file for files in folders for file in PACKAGE.glob(files))]
    files = [exported / "model.onnx", exported / "card.json", *sorted(code)]
    return tracking.key([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])


def _logged(
    store: Store,
    run: Run,
    name: str,
    key: str,
    *,
    code: Path,
    artifacts: dict[str, Path],
    packages: tuple[str, ...],
    signature: ModelSignature,
    example: Any,
) -> str:
    """Return the id of the run's model with `key`; an incomplete one is completed.

    Args:
        store: the store.
        run: the run whose output it is.
        name: its name in MLflow.
        key: key of its content.
        code: the file that serves it.
        artifacts: its files and folders, by the names that the code uses.
        packages: packages that the code imports, pinned to the installed versions.
        signature: its input and output.
        example: an input, shown beside the signature; the model is not run on it.
    """
    client, run_id = store.client, run.info.run_id
    found = client.search_logged_models(
        [store.experiment], f"source_run_id = '{run_id}' AND tags.`mien.content` = '{key}'"
    )
    logged = next(iter(found), None) or client.create_logged_model(
        store.experiment, name, source_run_id=run_id, tags={"mien.content": key}
    )
    model_id = logged.model_id
    if logged.status != LoggedModelStatus.READY:
        with tempfile.TemporaryDirectory() as folder:
            mlflow.pyfunc.save_model(
                f"{folder}/model",
                python_model=str(code),
                artifacts={part: str(path) for part, path in artifacts.items()},
                code_paths=[_package(Path(folder))],
                pip_requirements=[f"{package}=={version(package)}" for package in packages],
                signature=signature,
                input_example=example,
                mlflow_model=Model(model_id=model_id, model_uuid=model_id, run_id=run_id),
            )
            client.log_model_artifacts(model_id, f"{folder}/model")
        client.finalize_logged_model(model_id, "READY")
    outputs = client.get_run(run_id).outputs
    if not outputs or model_id not in {output.model_id for output in outputs.model_outputs}:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    return model_id


def _package(folder: Path) -> str:
    """Copy this package into `folder` without the shipped models; return the path."""
    without = shutil.ignore_patterns("__pycache__", "pretrained")
    return str(shutil.copytree(PACKAGE, folder / "mien", ignore=without))
