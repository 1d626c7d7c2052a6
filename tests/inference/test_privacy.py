"""What reads faces leaves nothing behind."""

import os
import subprocess
import sys

from drawn_photos import model


def test_the_runtime_of_the_models_keeps_no_identifier(tmp_path):
    """ONNX Runtime writes one where it is allowed to report its use."""
    (tmp_path / "tiny.onnx").write_bytes(model())
    home = tmp_path / "home"
    home.mkdir()
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    environment = {key: value for key, value in os.environ.items() if "TELEMETRY" not in key}
    code = "from mien.inference import models; models.load('tiny.onnx')"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment | places, check=True)
    assert list(home.rglob("*")) == []
