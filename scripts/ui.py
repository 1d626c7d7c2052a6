"""Start MLflow with the columns that compare models: `python scripts/ui.py PORT`.

An address cannot name columns. MLflow's own button «Share» stores a view of an experiment as a tag
with compressed content, and its address names the tag; so does this (MLflow 3.17; the format is not
documented).
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

# Any name under localhost is this machine (RFC 6761). On localhost and 127.0.0.1 MLflow opens its
# assistant over a third of the page when a browser comes for the first time.
HOST = "mien.localhost"
RUN, DATE = "attributes.`Run Name`", "runDateAndNestInfo"
# Widths in pixels: beside MLflow's menu all fit into a window of 1440. Of the date there is room
# for the run's state alone.
WIDTHS = {
    RUN: 200,
    DATE: 40,
    "tags.`mien.arch`": 100,
    "metrics.`validation/macro_f1`": 130,
    "metrics.`test/macro_f1`": 100,
    "metrics.`test/roc_auc`": 95,
    "metrics.`test/accuracy`": 100,
    "metrics.`cost/parameters`": 118,
    "metrics.`cost/multiply_adds`": 115,
    "metrics.`cost/training_seconds`": 105,
}
# The charts come first that tell which run is the best, and at what size.
SECTION = {"uuid": "mien", "name": "The best", "display": True, "isReordered": True}
CHARTS: list[dict[str, object]] = [
    {"type": "BAR", "metricKey": "validation/macro_f1"},
    {"type": "BAR", "metricKey": "test/macro_f1"},
    {
        "type": "SCATTER",
        "xaxis": {"key": "cost/multiply_adds", "type": "METRIC"},
        "yaxis": {"key": "validation/macro_f1", "type": "METRIC"},
    },
]
VIEW = {
    "orderByKey": "metrics.`validation/macro_f1`",
    "orderByAsc": False,
    "searchFilter": "tags.`mien.stage` != 'trial' and tags.`mien.stage` != 'pipeline'",
    "selectedColumns": [*WIDTHS][2:],
    "columnOrder": [*WIDTHS],
    "columnWidths": WIDTHS,
    "compareRunSections": [SECTION],
    "compareRunCharts": [
        {"uuid": f"mien-{number}", "metricSectionId": "mien", "runsCountToCompare": 10, **chart}
        for number, chart in enumerate(CHARTS)
    ],
    "isAccordionReordered": True,
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
    base = uri if uri.startswith("http") else f"http://{HOST}:{port}"
    # The printed address contains no password.
    shown = re.sub("//[^/@]*@", "//", base)
    # Otherwise MLflow opens its pages for language models.
    query = f"workflowType=machine_learning&viewStateShareKey={view}"
    print(f"{shown}/#/experiments/{experiment}/runs?{query}", flush=True)
    if base != uri:
        print(f"Where a browser does not find {HOST}, put 127.0.0.1 in its place.", flush=True)
        command = ["mlflow", "ui", "--backend-store-uri", uri, "--host", "127.0.0.1"]
        hosts = ",".join(f"{host}:{port}" for host in (HOST, "127.0.0.1", "localhost"))
        command += ["--allowed-hosts", hosts, "--cors-allowed-origins", base]
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
