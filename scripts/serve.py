"""Serve the registered champion over HTTP; docs/serving.md describes the requests."""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from mien.errors import MienError
from mien.tracking import registered, store

MODEL = "models:/mien@champion"
# Maximum number of connections; each may have a request of the size in serve_app.
CONNECTIONS = 64


def main(port: str) -> None:
    """Serve on `port` of this machine only, until Ctrl-C."""
    root = Path.cwd()
    try:
        # Without a model MLflow would print a traceback.
        with TemporaryDirectory() as folder:
            registered.download(MODEL, Path(folder), root)
    except MienError as error:
        sys.exit(f"serve: {error}; `make` trains and registers one")
    os.environ |= {"MLFLOW_TRACKING_URI": store.address(root), "MIEN_SERVED": MODEL}
    command = (sys.executable, "-m", "uvicorn", "--factory", "serve_app:app")
    place = ("--app-dir", str(Path(__file__).parent), "--host", "127.0.0.1", "--port", port)
    # A new process, which only imports the `mien` registered with the model. It replaces this one,
    # so that signals reach it.
    os.execv(sys.executable, (*command, *place, "--limit-concurrency", str(CONNECTIONS)))


if __name__ == "__main__":
    main(sys.argv[1])
