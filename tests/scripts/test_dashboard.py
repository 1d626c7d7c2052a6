"""scripts/dashboard.py on real journals: what it shows, and that it changes none."""

import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import optuna
import pytest
from conftest import listening
from dashboard import Copies, main
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/dashboard.py"


def study(folder: Path, name: str) -> optuna.Study:
    """Return the study whose journal is where the pipeline keeps it, in a folder ARCH-KEY."""
    (folder / name).mkdir(exist_ok=True)
    storage = JournalStorage(JournalFileBackend(str(folder / name / "journal.log")))
    arch = name.partition("-")[0]
    return optuna.create_study(storage=storage, study_name=arch, load_if_exists=True)


def finish(study: optuna.Study, count: int) -> None:
    for _ in range(count):
        trial = study.ask()
        study.tell(trial, trial.suggest_float("train.learning_rate", 0.1, 1))


def asked(app, path: str, method: str = "GET") -> dict:
    """Return what the app answers, which must be a success."""
    environ: dict = {"PATH_INFO": path, "REQUEST_METHOD": method, "wsgi.input": io.BytesIO(b"{}")}
    environ |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": "2"}
    setup_testing_defaults(environ)
    seen = []
    body = b"".join(app(environ, lambda status, headers, *_: seen.append(status)))
    assert seen[0].startswith("20"), (seen, body)
    return json.loads(body) if body else {}


def names(app) -> list[str]:
    return [each["study_name"] for each in asked(app, "/api/studies")["study_summaries"]]


def states(app, number: int) -> list[str]:
    return [trial["state"] for trial in asked(app, f"/api/studies/{number}")["trials"]]


def test_several_studies_are_shown_while_one_of_them_runs(tmp_path):
    finish(study(tmp_path, "compact-1"), 2)
    running = study(tmp_path, "resnet-2")
    app = Copies(tmp_path)
    assert names(app) == ["compact-1", "resnet-2"]
    assert states(app, 1) == []
    running.ask()
    assert states(app, 1) == ["Running"]
    # A study that begins later does not push the others to another address.
    finish(study(tmp_path, "alone-3"), 1)
    assert names(app) == ["compact-1", "resnet-2", "alone-3"]


def test_two_studies_of_one_architecture_are_told_apart_by_their_folders(tmp_path):
    finish(study(tmp_path, "compact-1"), 2)
    finish(study(tmp_path, "compact-2"), 1)
    app = Copies(tmp_path)
    assert names(app) == ["compact-1", "compact-2"]
    assert [len(states(app, number)) for number in (0, 1)] == [2, 1]


def test_a_journal_that_a_kill_cut_back_is_shown_as_it_goes_on(tmp_path):
    first = study(tmp_path, "compact-1")
    finish(first, 1)
    journal = tmp_path / "compact-1/journal.log"
    kept = journal.stat().st_size
    first.ask().report(0.5, 1)
    app = Copies(tmp_path)
    assert states(app, 0) == ["Complete", "Running"]
    os.truncate(journal, kept)
    finish(study(tmp_path, "compact-1"), 3)
    assert states(app, 0) == ["Complete"] * 4


def test_what_is_clicked_leaves_the_journal_alone(tmp_path):
    finish(study(tmp_path, "compact-1"), 2)
    journal = tmp_path / "compact-1/journal.log"
    before = journal.read_bytes()
    app = Copies(tmp_path)
    assert names(app) == ["compact-1"]
    asked(app, "/api/studies/0", "DELETE")
    assert names(app) == []
    assert journal.read_bytes() == before
    assert [path.name for path in journal.parent.iterdir()] == ["journal.log"]


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        ("", "no study in .mien/tune yet; begin one with `dvc repro`"),
        ("postgresql://me:hidden@127.0.0.1:9/studies", "tune.storage: "),
    ],
)
def test_nothing_to_show_is_one_line(tmp_path, monkeypatch, storage, said):
    params = (ROOT / "params.yaml").read_text()
    assert "\n  storage:\n" in params
    (tmp_path / "params.yaml").write_text(
        params.replace("\n  storage:\n", f"\n  storage: {storage}\n")
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=f"^dashboard: {said}") as ended:
        main(0)
    assert "\n" not in ended.value.code
    assert "hidden" not in ended.value.code


def test_it_listens_on_this_machine_alone(tmp_path):
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (tmp_path / ".mien/tune").mkdir(parents=True)
    study(tmp_path / ".mien/tune", "compact-1")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(port)], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.stderr.readline().startswith(f"http://127.0.0.1:{port} shows the studies")
        assert listening(port) == ["127.0.0.1"]
    finally:
        server.kill()
        server.wait()
