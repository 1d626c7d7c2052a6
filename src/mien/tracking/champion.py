"""Models in MLflow: logged so that it can serve them, the best one registered."""

from __future__ import annotations

import json
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import mlflow.pyfunc
import numpy as np
from mlflow.entities import LoggedModelOutput, Run
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec

import mien
from mien import tracking
from mien.tracking.store import Store

REGISTERED = "mien"
ALIAS = "champion"
ABOUT = """Reads the expression on a face.

Input: faces, uint8, shape (N, S, S), grey 0 to 255. Output: a column of probabilities per class.

    mlflow.pyfunc.load_model("models:/mien@champion").predict(faces)

The alias `champion` stands on the model with the best macro-F1 on validation."""


def log_model(store: Store, run: Run, trained: tracking.Trained) -> str:
    """Log the model as an output of its run; return its id. TensorFlow is not imported."""
    identifier = run.info.run_id
    logged = store.client.create_logged_model(
        store.experiment, trained.record["name"], source_run_id=identifier
    )
    model_id = logged.model_id
    spec = trained.record["spec"]
    side = spec["image_size"]
    signature = ModelSignature(
        Schema([TensorSpec(np.dtype("uint8"), (-1, side, side))]),
        Schema([ColSpec("float", label) for label in spec["classes"]]),
    )
    nets = trained.members or [trained]
    backends = sorted({net.record["params"]["train"]["backend"] for net in nets})
    used = ("mlflow", "keras", *backends, "numpy", "pandas")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # MLflow asks for an input example, and would run the model on it.
        warnings.simplefilter("ignore", UserWarning)
        mlflow.pyfunc.save_model(
            f"{folder}/model",
            python_model=str(Path(__file__).with_name("served_model.py")),
            artifacts={"model": str(trained.folder)}
            | {member.record["name"]: str(member.folder) for member in trained.members},
            code_paths=[str(Path(mien.__file__).parent)],
            pip_requirements=[f"{name}=={version(name)}" for name in used],
            signature=signature,
            mlflow_model=Model(model_id=model_id, model_uuid=model_id, run_id=identifier),
        )
        store.client.log_model_artifacts(model_id, f"{folder}/model")
    store.client.finalize_logged_model(model_id, "READY")
    store.client.log_outputs(identifier, [LoggedModelOutput(model_id, step=0)])
    return model_id


def register(store: Store, run_id: str, model_id: str, key: str) -> str:
    """Put the alias on the version of the model with `key`; return it, new if there was none."""
    client = store.client
    try:
        client.create_registered_model(REGISTERED, description=ABOUT)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    found = client.search_model_versions(f"name = '{REGISTERED}' and tags.`mien.key` = '{key}'")
    if found:
        number = found[0].version
    else:
        # Not `models:/ID`: a database would look that up in the process's global store.
        number = client.create_model_version(
            REGISTERED,
            client.get_logged_model(model_id).artifact_location,
            run_id=run_id,
            model_id=model_id,
            tags={"mien.key": key},
        ).version
        # What the pages of the run and of the model show as its registered version.
        versions = json.dumps([{"name": REGISTERED, "version": number}])
        client.set_logged_model_tags(model_id, {"mlflow.modelVersions": versions})
    aliases = client.get_registered_model(REGISTERED).aliases
    if str(aliases.get(ALIAS)) != str(number):
        client.set_registered_model_alias(REGISTERED, ALIAS, str(number))
    return str(number)
