"""Start MLflow with the columns that compare models: `python scripts/ui.py PORT`.

MLflow stores a shared view of an experiment as a tag with compressed content; the address names the
tag. Its own button «Share» does the same; the format is not documented (MLflow 3.17).
"""

import base64
import hashlib
import json
import os
import re
import sys
import zlib
from pathlib import Path

# The code of this checkout, not the installed package.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from mien.errors import MienError
from mien.tracking import store

VIEW = {
    "orderByKey": "metrics.`validation_macro_f1`",
    "orderByAsc": False,
    "searchFilter": "tags.`mien.stage` != 'trial' and tags.`mien.stage` != 'pipeline'",
    "selectedColumns": [
        "params.`model.arch`",
        "metrics.`validation_macro_f1`",
        "metrics.`test_macro_f1`",
        "metrics.`test_accuracy`",
        "metrics.`test_roc_auc`",
        "metrics.`parameters`",
        "metrics.`training_seconds`",
    ],
}


def main() -> None:
    """Set the view, print its address and start MLflow's server, unless there is one."""
    port, root = sys.argv[1], Path.cwd()
    uri = store.address(root)
    try:
        with store.one_line_errors(root):
            experiment, view = shared_view(root)
    except MienError as error:
        sys.exit(f"ui: {error}")
    base = uri if uri.startswith("http") else f"http://127.0.0.1:{port}"
    # The printed address contains no password.
    shown = re.sub("//[^/@]*@", "//", base)
    print(f"{shown}/#/experiments/{experiment}/runs?viewStateShareKey={view}", flush=True)
    if base != uri:
        command = ["mlflow", "ui", "--backend-store-uri", uri, "--host", "127.0.0.1"]
        # One person looks: MLflow's own four processes would only start more slowly.
        os.execvp(command[0], [*command, "--port", port, "--workers", "1"])


def shared_view(root: Path) -> tuple[str, str]:
    """Store the view in the experiment; return the experiment's id and the view's key."""
    opened = store.connect(root)
    text = json.dumps(VIEW)
    key = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    content = f"deflate;{base64.b64encode(zlib.compress(text.encode())).decode()}"
    opened.client.set_experiment_tag(opened.experiment, f"mlflow.sharedViewState.{key}", content)
    return opened.experiment, key


if __name__ == "__main__":
    main()
