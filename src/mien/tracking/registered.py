"""A registered model's files, for those who run it without MLflow."""

import os
from pathlib import Path

import mlflow.artifacts
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from mien.errors import TrackingError
from mien.tracking import local_store, store


def download(uri: str, folder: Path, root: Path) -> Path:
    """Return where in `folder` the files of the model `uri`, such as `models:/NAME@ALIAS`, are.

    Args:
        uri: as MLflow writes it.
        folder: an empty one.
        root: folder of the project, where the default store lies.

    Raises:
        TrackingError: there is no store, it does not answer or does not know the model.
    """
    # MLflow would make an empty store in any folder.
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
