"""`make app` hands out the live page, where it is built, and links to it."""

import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from conftest import served

pytest.importorskip("streamlit", reason="Streamlit is not installed")
from streamlit.testing.v1 import AppTest

APP = Path(__file__).parents[2] / "src/mien/app"


@pytest.fixture(params=[True, False])
def built(request, tmp_path) -> bool:
    if request.param:
        page = tmp_path / "docs/_build/live"
        page.mkdir(parents=True)
        (page / "index.html").write_text("the page")
        (page / "a.wasm").write_bytes(b"\0asm")
    return request.param


@pytest.fixture
def address(built, tmp_path):
    command = ["-m", "streamlit", "run", str(APP / "server.py"), "--server.port", "PORT"]
    with served([sys.executable, *command], tmp_path) as port:
        yield f"http://127.0.0.1:{port}"


def test_the_built_page_is_served_beside_the_app(built, address):
    with urllib.request.urlopen(f"{address}/_stcore/health", timeout=30) as answer:
        assert answer.read() == b"ok"
    with urllib.request.urlopen(f"{address}/live/", timeout=30) as answer:
        assert (answer.read() == b"the page") == built
    if built:
        with urllib.request.urlopen(f"{address}/live/a.wasm", timeout=30) as answer:
            assert answer.headers["content-type"] == "application/wasm"


def test_the_link_stands_where_the_page_is_built(built, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = AppTest.from_file(APP / "main.py", default_timeout=60).run()
    assert not app.exception
    assert ['href="/live/"' in one.value for one in app.sidebar.html] == [True] * built
