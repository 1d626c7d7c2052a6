"""The documented script on a local Spark, against the same model asked directly."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from conftest import drawn_images, encoded
from drawn_photos import exported
from made_state import evaluation, made, project

from mien import tracking

ROOT = Path(__file__).parents[1]

pytestmark = [
    pytest.mark.skipif(not importlib.util.find_spec("pyspark"), reason="pyspark is not installed"),
    pytest.mark.skipif(not shutil.which("java"), reason="Java is not installed"),
]


def test_spark_reads_what_a_direct_call_does(tmp_path, monkeypatch):
    root = project(tmp_path, monkeypatch)
    model = made()
    tracking.track([model], evaluation(model), root, exported())
    files = [encoded(face) for face in drawn_images(40)[0]]
    photos = pd.DataFrame({"name": [f"{row:02}.png" for row in range(40)], "image": files})
    photos.to_parquet("photos.parquet")
    guide = (ROOT / "docs/serving.md").read_text()
    (script,) = re.findall(r"^```python\n(.*?)^```", guide, re.S | re.M)
    Path("score.py").write_text(script)
    (line,) = (line for line in guide.splitlines() if "local[*]" in line)
    env = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    # Two workers, and no page about the job on a port of its own.
    line = line.replace("local[*]", "local[2]").replace(
        "score.py", "--conf spark.ui.enabled=false score.py"
    )
    done = subprocess.run(
        ["bash", "-c", line], env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    read = pd.read_parquet("expressions.parquet").sort_values("name", ignore_index=True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root}/mlflow.db")
    monkeypatch.setattr(sys, "path", list(sys.path))
    expected = mlflow.pyfunc.load_model("models:/mien@champion").predict(photos)
    assert expected["emotion"].nunique() == 4
    expected.insert(0, "name", photos["name"])
    pd.testing.assert_frame_equal(read, expected, check_dtype=False)
