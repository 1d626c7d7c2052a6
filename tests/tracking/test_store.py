"""The store where there is none yet."""

import os
import subprocess
import sys
import time
from pathlib import Path

from conftest import SRC
from made_state import project

TESTS = Path(__file__).parents[1]


def test_a_kill_while_the_database_is_made_leaves_none_and_a_new_one_takes_two_lines_and_no_keras(
    tmp_path, monkeypatch
):
    root = project(tmp_path, monkeypatch)
    (root / "mlflow.db").unlink()
    env = {"PYTHONPATH": os.pathsep.join([str(TESTS), str(SRC)]), "PATH": ""}
    code = "from pathlib import Path; from mien.tracking import store; store.connect(Path('.'))"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=root, env=env)
    # Some of the tables are there, wherever they are made.
    while not any(file.stat().st_size for file in root.rglob("*") if file.is_file()):
        assert process.poll() is None
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert not (root / "mlflow.db").exists()

    code = (
        "import sys; from pathlib import Path; from mien import tracking\n"
        "from made_state import evaluation, made; model = made()\n"
        "tracking.track([model], evaluation(model), Path('.'))\n"
        "print(sorted({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=env, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
    assert [line.partition(";")[0].partition(" in ")[0] for line in done.stderr.splitlines()] == [
        "MLflow: new experiment `mien`",
        "MLflow: new state of the pipeline",
    ]
