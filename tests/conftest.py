"""Small made faces and encoders that several tests use, and the order of the tests."""

import json
import os
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import psutil
import pytest
from filelock import FileLock

from mien.faces import Faces

SRC = Path(__file__).parents[1] / "src"
STAGES = SRC.parent / "stages"
CLASSES = ("happy", "neutral", "sad", "surprise")
# Begun last, these would leave the other processes without work.
LONGEST = {
    "test_extending.py",
    "test_kills.py",
    "test_notebook.py",
    "test_pipeline.py",
    "test_staleness.py",
}
# One process runs these, so that no other waits until their `project` has run.
TOGETHER = {"test_extending.py", "test_pipeline.py", "test_staleness.py"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin the longest files first: each is the work of one process, TOGETHER are of one."""
    items.sort(key=lambda item: item.path.name not in LONGEST)
    for item in items:
        together = item.path.name in TOGETHER
        item.add_marker(pytest.mark.xdist_group("project" if together else str(item.path)))


@pytest.fixture(scope="session", autouse=True)
def _stages_on_the_path() -> Iterator[None]:
    """Let tests call the `main` of a stage, see `stage_project.run_stage`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(STAGES)
        yield


@pytest.fixture(scope="module")
def _eagerly() -> Iterator[None]:
    """Let TensorFlow trace no graph, which takes as long as some twenty small steps."""
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*run_functions_eagerly", UserWarning)
        tf.config.run_functions_eagerly(True)
        yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Path:
    """Return a folder that all processes of this run of pytest share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def small_source(shared) -> Path:
    """Return the zip on which clones of this tree run; at one place, so that DVC knows it again."""
    import small_clone

    path = shared / "faces.zip"
    with FileLock(shared / "faces.lock"):
        return path if path.exists() else small_clone.small_zip(path)


@pytest.fixture(scope="session")
def clone(tmp_path_factory, small_source) -> Callable[[str], Path]:
    """Return a function that makes a fresh clone of this tree on a small source."""
    import small_clone

    made = tmp_path_factory.mktemp("pipeline")

    def make(name: str) -> Path:
        small_clone.clone(made / name, small_source)
        return made / name

    return make


@pytest.fixture(scope="session")
def project(clone, shared) -> Path:
    """Return a clone that has run once and committed its state; who changes it puts it back.

    Each process has its own, but what the first has computed the others take from DVC's cache.
    """
    from small_clone import dvc, git

    folder = clone("project")
    dvc(folder, "config", "--local", "cache.dir", str(shared / "cache"))
    with FileLock(shared / "project.lock"):
        dvc(folder, "repro")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "state")
    return folder


def drawn_images(count: int, seed: int = 0, size: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Return (count, size, size) uint8 images of four easy classes and their codes.

    The class shows as a bright quadrant on noise, so that any net can learn it.
    """
    rng = np.random.default_rng(seed)
    codes = np.arange(count) % len(CLASSES)
    images = rng.integers(40, 120, (count, size, size), dtype=np.uint8)
    half = size // 2
    for image, code in zip(images, codes, strict=True):
        row, column = divmod(int(code), 2)
        image[row * half : (row + 1) * half, column * half : (column + 1) * half] += 100
    return images, codes


def made_faces(count: int, seed: int = 0, size: int = 48) -> Faces:
    """Return `count` drawn faces as a split."""
    images, codes = drawn_images(count, seed, size)
    index = pd.DataFrame(
        {
            "name": [f"{seed}/{row}.png" for row in range(count)],
            "label": pd.Categorical.from_codes(codes, categories=list(CLASSES)),
            "group": np.arange(count),
            "copy": 0,
            "seen": False,
        }
    )
    return Faces(images, index)


def made_predictions(count: int, skill: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and probabilities of the four classes, right by chance where `skill` is 0."""
    rng = np.random.default_rng((seed, count))
    labels = rng.integers(4, size=count)
    logits = rng.normal(size=(count, 4))
    logits[np.arange(count), labels] += skill
    odds = np.exp(logits)
    return labels, odds / odds.sum(axis=1, keepdims=True)


def encoded(image: np.ndarray, extension: str = ".png") -> bytes:
    """Return the image file's bytes; colour images are BGR."""
    done, data = cv2.imencode(extension, image)
    assert done
    return data.tobytes()


@pytest.fixture
def faces() -> Faces:
    return made_faces(64)


@pytest.fixture
def walled(tmp_path, monkeypatch) -> Iterator[Path]:
    """The project's folder, which is the working one; around it and at home nothing may appear."""
    for name in ("project", "home", "temporary"):
        (tmp_path / name).mkdir()
    (tmp_path / "secret").write_text("not for you")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home/cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    yield tmp_path / "project"
    around = {
        path
        for path in (path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
        if not path.startswith("project/")
    }
    assert around == {"project", "home", "temporary", "secret"}
    assert (tmp_path / "secret").read_text() == "not for you"
    assert os.getcwd() == str(tmp_path / "project")


def told_by_child(code: str, folder: Path) -> tuple[dict[str, Any], str]:
    """Return the JSON that Python code prints in a process of its own, and its stderr."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(SRC), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def is_one_line(error: BaseException) -> str:
    """Return the error's text, which must be one printable line of bearable length."""
    text = str(error)
    assert text
    assert text.isprintable(), text
    assert len(text) < 700, text
    return text


@contextmanager
def served(command: Sequence[str], folder: Path, **options: Any) -> Iterator[int]:
    """Start `command` in `folder`, with a free port for `PORT`; yield it once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [str(port) if word == "PORT" else word for word in command]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log, **options)
    try:
        for _ in range(600):
            with socket.socket() as door:
                if door.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield port
    finally:
        server.terminate()
        server.wait()


def listening(port: int) -> list[str]:
    """Return the addresses of this machine on which `port` answers."""
    return [
        one.laddr.ip
        for one in psutil.net_connections("tcp")
        if one.status == psutil.CONN_LISTEN and one.laddr.port == port
    ]
