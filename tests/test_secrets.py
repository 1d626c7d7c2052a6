"""Passwords in addresses: used, and found nowhere afterwards."""

import http.server
import os
import subprocess
import sys
import threading
import zipfile
from functools import partial
from pathlib import Path

import pytest
from conftest import drawn_images, encoded
from made_state import evaluation, made, project
from mlflow import MlflowClient
from stage_project import lay_project

from mien import params, tracking
from mien.errors import MienError, TrackingError, masked
from mien.params import Params
from mien.training.recipe import SECTIONS
from mien.tuning import study

ROOT = Path(__file__).parents[1]
SECRET = "hUnter2xyz"
ADDRESSES = {
    f"postgresql://me:{SECRET}@db:5432/mien": "postgresql://***@db:5432/mien",
    f"postgresql://me:a@b{SECRET}@db/mien": "postgresql://***@db/mien",
    f"postgresql://me:a/b{SECRET}@db/mien": "postgresql://***@db/mien",
    f"postgresql+psycopg://{SECRET}@db/mien": "postgresql+psycopg://***@db/mien",
    f"postgresql://db/mien?user=me&password={SECRET}": "postgresql://db/mien?***",
    f"http://me:{SECRET}@mlflow.example:5000": "http://***@mlflow.example:5000",
    f"s3://key:{SECRET}@bucket/faces.zip": "s3://***@bucket/faces.zip",
    f"https://a.example/f.zip?X-Amz-Signature={SECRET}&v=1": "https://a.example/f.zip?***",
    f"https://a.example/f.zip?sig={SECRET}#part": "https://a.example/f.zip?***",
    "models:/mien@champion": "models:/mien@champion",
    "https://a.example/f.zip": "https://a.example/f.zip",
    f"s3://key@bucket/f.zip?version={SECRET}": "s3://***@bucket/f.zip?***",
    "me@example.org": "me@example.org",
    "what? nothing": "what? nothing",
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_an_address_keeps_secret_is_masked(address):
    assert masked(f"see {address} there") == f"see {ADDRESSES[address]} there"
    assert str(MienError(f"see {address} there")) == f"see {ADDRESSES[address]} there"


def found_in(folder: Path) -> list[str]:
    """Return the files below `folder` that hold the secret."""
    return [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and SECRET.encode() in path.read_bytes()
    ]


class Asked(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def address(tmp_path):
    """Where a real server has one picture of a class, `happy.zip`."""
    served = tmp_path / "served"
    served.mkdir()
    with zipfile.ZipFile(served / "faces.zip", "w") as target:
        for row, image in enumerate(drawn_images(4)[0]):
            target.writestr(f"{('happy', 'sad')[row % 2]}/{row}.png", encoded(image))
    handler = partial(Asked, directory=served)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("file", ["faces.zip", "nothing.zip"])
def test_a_signed_download_leaves_no_signature(tmp_path, monkeypatch, address, file):
    """In params.yaml it stands, and so in dvc.lock; neither in a log nor in an out."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    lay_project()
    text = Path("params.yaml").read_text()
    url = f"http://{address}/{file}?sig={SECRET}"
    database = f"postgresql://me:{SECRET}@127.0.0.1:9/mien"
    text = text.replace("  url:\n", f"  url: {url}\n").replace(
        "  storage:\n", f"  storage: {database}\n"
    )
    Path("params.yaml").write_text(text)
    done = subprocess.run(
        [sys.executable, "stages/ingest.py"], capture_output=True, text=True, env=os.environ
    )
    assert (done.returncode == 0) == (file == "faces.zip"), done.stderr
    assert SECRET not in done.stdout + done.stderr
    if done.returncode:
        assert f"http://{address}/{file}?*** cannot be downloaded" in done.stderr
    assert found_in(tmp_path / "project") == ["params.yaml"]


def test_no_param_that_holds_an_address_is_logged():
    """What goes to MLflow and into records is chosen by section; none of them takes an address."""
    assert set(Params.model_fields) - {"data", "tune"} >= SECTIONS


@pytest.mark.parametrize("scheme", ["http", "postgresql+psycopg"])
def test_a_tracking_server_that_is_gone_is_named_without_its_password(
    tmp_path, monkeypatch, capfd, scheme
):
    root = project(tmp_path, monkeypatch)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{scheme}://me:{SECRET}@127.0.0.1:9/mien")
    model = made()
    with tracking.live(model.id, "key", model.record["params"], root) as run:
        run.log([])
    with pytest.raises(TrackingError, match=r"//\*\*\*@127\.0\.0\.1:9") as caught:
        tracking.track([model], evaluation(model), root)
    told = capfd.readouterr()
    assert SECRET not in str(caught.value) + told.out + told.err
    assert found_in(tmp_path) == []


def test_a_store_keeps_no_environment(tmp_path, monkeypatch, capfd):
    root = project(tmp_path, monkeypatch)
    for name in ("AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD", "PGPASSWORD"):
        monkeypatch.setenv(name, SECRET)
    model = made()
    tracking.track([model], evaluation(model), root)
    assert MlflowClient(f"sqlite:///{root}/mlflow.db").search_experiments()
    told = capfd.readouterr()
    assert SECRET not in told.out + told.err
    assert found_in(tmp_path) == []


def test_a_database_of_studies_that_is_gone_is_named_without_its_password(tmp_path):
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    url = f"postgresql://me:{SECRET}@127.0.0.1:9/mien"
    tune = params.load(ROOT / "params.yaml").tune.model_copy(update={"storage": url})
    with (
        pytest.raises(MienError, match=r"127\.0\.0\.1") as caught,
        study.opened("compact", "key", tmp_path, tune),
    ):
        pass
    assert SECRET not in str(caught.value)
    assert found_in(tmp_path) == []
