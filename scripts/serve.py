"""Serve a model over HTTP: `python scripts/serve.py PORT [MODEL]`; see docs/serving.md.

MODEL is one that comes with the package, or one in MLflow; left out, it is the registered champion.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from mien.errors import MienError, ModelError
from mien.inference.models import DRAWN, PRETRAINED, SHIPPED
from mien.tracking import champion, registered, store

CHAMPION = "models:/mien@champion"
# Folder for a shipped model in MLflow's format.
SERVED = Path(".mien/served")
# Maximum number of connections; each may have a request of the size in serve_app.
CONNECTIONS = 64


def main(port: str, model: str = CHAMPION) -> None:
    """Serve on `port` of this machine only, until Ctrl-C."""
    root = Path.cwd()
    try:
        served = _shipped(model) if model in SHIPPED else _registered(model, root)
    except MienError as error:
        hint = "; `make` trains and registers one" if model == CHAMPION else ""
        sys.exit(f"serve: {error}{hint}")
    os.environ |= {"MLFLOW_TRACKING_URI": store.address(root), "MIEN_SERVED": served}
    command = (sys.executable, "-m", "uvicorn", "--factory", "serve_app:app")
    place = ("--app-dir", str(Path(__file__).parent), "--host", "127.0.0.1", "--port", port)
    # A new process, which only imports the `mien` registered with the model. It replaces this one,
    # so that signals reach it.
    os.execv(sys.executable, (*command, *place, "--limit-concurrency", str(CONNECTIONS)))


def _shipped(model: str) -> str:
    """Write the model for MLflow, return where."""
    shutil.rmtree(SERVED, ignore_errors=True)
    model_file, card = (Path(str(PRETRAINED / f"{model}.{kind}")) for kind in ("onnx", "json"))
    champion.save_onnx(model_file, card, SERVED)
    return str(SERVED)


def _registered(model: str, root: Path) -> str:
    """Return the model's address, after a look at whether it is there and what its card says.

    Raises:
        MienError: there is none.
    """
    if not model.startswith("models:/"):
        known = ", ".join((*SHIPPED, "models:/NAME@ALIAS"))
        raise ModelError(f"MODEL={model}: no such model; expected {known}")
    # MLflow would tell in a traceback that there is none.
    with TemporaryDirectory() as folder:
        registered.download(model, Path(folder), root)
        cards = [json.loads(card.read_text()) for card in Path(folder).rglob("card.json")]
    if any(card.get("drawn") for card in cards):
        print(f"serve: {model}: {DRAWN}: make serve MODEL=fer7", file=sys.stderr, flush=True)
    return model


if __name__ == "__main__":
    main(*sys.argv[1:])
