"""Download the files of a registered model, to run it without MLflow."""

import os
from pathlib import Path

import mlflow.artifacts
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from mien.errors import TrackingError
from mien.tracking import local_store, store


def download(uri: str, folder: Path, root: Path) -> Path:
    """Download the model `uri`, such as `models:/NAME@ALIAS`; return the path in `folder`.

    Args:
        uri: in MLflow's format.
        folder: an empty folder.
        root: folder of the project, with the default store.

    Raises:
        TrackingError: there is no store, it does not answer, or there is no such model.
    """
    # MLflow would create an empty store in any folder.
    if "MLFLOW_TRACKING_URI" not in os.environ and not (root / "mlflow.db").is_file():
        raise TrackingError(
            f"{uri}: no mlflow.db in {root}; go to the project's folder or set MLFLOW_TRACKING_URI"
        )
    local_store.follow(root)
    address = store.address(root)
    try:
        return Path(
            mlflow.artifacts.download_artifacts(uri, dst_path=str(folder), tracking_uri=address)
        )
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise TrackingError(f"{uri}: MLflow says: {store.reason(error)}") from error
