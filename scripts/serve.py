"""Serves the registered champion over HTTP; docs/serving.md tells what to send."""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from mien.errors import MienError
from mien.tracking import registered, store

MODEL = "models:/mien@champion"
# Connections at once; each may hold a request of the size in serve_app.
CONNECTIONS = 64


def main(port: str) -> None:
    """Answer on `port` of this machine alone, until Ctrl-C."""
    root = Path.cwd()
    try:
        # MLflow would tell in a traceback that there is none.
        with TemporaryDirectory() as folder:
            registered.download(MODEL, Path(folder), root)
    except MienError as error:
        sys.exit(f"serve: {error}; `make` trains and registers one")
    os.environ |= {"MLFLOW_TRACKING_URI": store.address(root), "MIEN_SERVED": MODEL}
    command = (sys.executable, "-m", "uvicorn", "--factory", "serve_app:app")
    place = ("--app-dir", str(Path(__file__).parent), "--host", "127.0.0.1", "--port", port)
    # Another process, which imports no `mien` but the one registered with the model; in this
    # one's place, so that a signal reaches it.
    os.execv(sys.executable, (*command, *place, "--limit-concurrency", str(CONNECTIONS)))


if __name__ == "__main__":
    main(sys.argv[1])
