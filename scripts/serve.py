"""Serves the registered champion over HTTP with MLflow; docs/serving.md tells what to send."""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from mien.errors import MienError
from mien.tracking import registered, store

MODEL = "models:/mien@champion"


def main(port: str) -> None:
    """Answer on `port` of this machine alone, until Ctrl-C."""
    root = Path.cwd()
    try:
        # MLflow would tell in a traceback that there is none.
        with TemporaryDirectory() as folder:
            registered.download(MODEL, Path(folder), root)
    except MienError as error:
        sys.exit(f"serve: {error}; `make` trains and registers one")
    os.environ["MLFLOW_TRACKING_URI"] = store.address(root)
    command = ("mlflow", "models", "serve", "--model-uri", MODEL, "--env-manager", "local")
    # In this process's place, so that a signal reaches MLflow.
    os.execvp(command[0], (*command, "--host", "127.0.0.1", "--port", port))


if __name__ == "__main__":
    main(sys.argv[1])
