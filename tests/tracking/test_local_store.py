"""The default store, `mlflow.db`, in a project that is moved, copied, or loses files."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import mlflow
import pytest
from conftest import is_one_line
from made_state import client, evaluation, made, project, runs

from mien import tracking
from mien.errors import TrackingError
from mien.tracking import local_store


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A project with one tracked model."""
    root = project(tmp_path, monkeypatch)
    track()
    return root


def track() -> list[str]:
    model = made()
    return tracking.track([model], evaluation(model), Path.cwd())


def told(root: Path) -> set[str]:
    """Return every place of artefacts that the database speaks of."""
    with closing(sqlite3.connect(root / "mlflow.db")) as database:
        return {
            row[0]
            for table, column in local_store.PLACES
            for row in database.execute(f"select {column} from {table}")  # noqa: S608
            if row[0] and "mlartifacts" in row[0]
        }


def contents(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def loaded(root: Path) -> bytes:
    """Return the weights of the champion as MLflow downloads them."""
    version = client(root).get_model_version_by_alias("mien", "champion")
    place = mlflow.artifacts.download_artifacts(
        version.source, tracking_uri=f"sqlite:///{root}/mlflow.db"
    )
    return next(Path(place).rglob("model.weights.h5")).read_bytes()


def test_the_tables_that_hold_places_are_all_known(root):
    """A new version of MLflow may add one."""
    with closing(sqlite3.connect(root / "mlflow.db")) as database:
        tables = [
            row[0]
            for row in database.execute("select name from sqlite_master where type = 'table'")
        ]
        found = {
            (table, column[1])
            for table in tables
            for column in database.execute(f"pragma table_info({table})")
            for row in database.execute(f'select "{column[1]}" from {table}')  # noqa: S608
            if isinstance(row[0], str) and f"{root.name}/mlartifacts" in row[0].replace("%20", " ")
        }
    assert found <= set(local_store.PLACES)
    assert ("runs", "artifact_uri") in found


@pytest.mark.parametrize("name", ["moved", "mit Leerzeichen", "100% (1)"])
def test_a_moved_project_finds_its_models(root, tmp_path, monkeypatch, name):
    new = tmp_path / "elsewhere" / name
    new.parent.mkdir()
    root.rename(new)
    monkeypatch.chdir(new)
    assert local_store.moved_from(new) == root
    track()
    assert local_store.moved_from(new) is None
    assert all(place.startswith((new.as_uri(), str(new))) for place in told(new))
    assert len(runs(new, "train")) == 1
    assert loaded(new) == b"one"
    assert not root.exists()


def test_a_copy_writes_into_itself_alone(root, tmp_path, monkeypatch):
    copy = Path(shutil.copytree(root, tmp_path / "copy"))
    before, places = contents(root), told(root)
    monkeypatch.chdir(copy)
    other = made(weights=b"two")
    tracking.track([other], evaluation(other), copy)
    assert contents(root) == before
    assert told(root) == places
    assert len(runs(copy, "train")) == 2
    assert loaded(copy) == b"two"


def test_the_doctor_tells_of_a_move_and_repairs_it(root, tmp_path, monkeypatch):
    assert tracking.examined(root).startswith("answers")
    new = root.rename(tmp_path / "moved")
    monkeypatch.chdir(new)
    with pytest.raises(TrackingError, match=r"mien doctor --repair") as caught:
        tracking.examined(new)
    assert str(root) in is_one_line(caught.value)
    assert local_store.moved_from(new) == root
    tracking.examined(new, repair=True)
    assert local_store.moved_from(new) is None
    assert loaded(new) == b"one"


def test_a_state_is_logged_while_store_artefacts_and_alias_are_there(root):
    keys = track()
    assert tracking.is_logged(keys, root)
    assert not tracking.is_logged([*keys, "another"], root)
    client(root).delete_registered_model_alias("mien", "champion")
    assert not tracking.is_logged(keys, root)
    track()
    assert tracking.is_logged(keys, root)
    (root / "mlartifacts").rename(root / "away")
    assert not tracking.is_logged(keys, root)
    (root / "away").rename(root / "mlartifacts")
    client(root).delete_run(runs(root, "train")[0].info.run_id)
    assert not tracking.is_logged(keys, root)


def test_the_doctor_tells_of_artefacts_that_are_gone(root):
    (root / "mlartifacts").rename(root / "away")
    with pytest.raises(TrackingError, match=r"mlartifacts/ is gone") as caught:
        tracking.examined(root)
    is_one_line(caught.value)


def test_a_database_that_was_deleted_is_filled_again(root, tmp_path, monkeypatch):
    keys = track()
    # Under a new name, as this process keeps the old database open.
    new = root.rename(tmp_path / "new")
    monkeypatch.chdir(new)
    (new / "mlflow.db").unlink()
    assert not tracking.is_logged(keys, new)
    assert track() == keys
    assert tracking.is_logged(keys, new)
    assert loaded(new) == b"one"


def test_a_server_is_asked_each_time(root, monkeypatch):
    keys = track()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root}/mlflow.db")
    assert not tracking.is_logged(keys, root)
    assert local_store.moved_from(root) is None
