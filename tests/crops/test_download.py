"""YuNet's file is downloaded once, from a stand-in for the zoo on this machine."""

import hashlib
import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mien.crops import download


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        super().do_GET()

    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A stand-in for the zoo, which serves `net.onnx`; the user's cache is an empty folder."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "net.onnx").write_bytes(b"a net")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "SHA256", hashlib.sha256(b"a net").hexdigest())
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as running:
        running.asked = []
        url = f"http://127.0.0.1:{running.server_port}/net.onnx"
        monkeypatch.setattr(download, "URL", url)
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_the_file_is_downloaded_once(server, tmp_path):
    path = download.yunet()
    assert (path, path.read_bytes()) == (tmp_path / "cache/mien/net.onnx", b"a net")
    assert download.yunet() == path
    assert len(server.asked) == 1


def test_a_damaged_file_is_fetched_again(server):
    download.yunet().write_bytes(b"dam")
    assert download.yunet().read_bytes() == b"a net"


def test_another_file_is_refused_and_not_kept(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "SHA256", "0" * 64)
    with pytest.raises(download.MissingError, match=f"expected sha256 {'0' * 64}, got [0-9a-f]+"):
        download.yunet()
    assert not list(tmp_path.glob("cache/**/*.onnx"))


def test_a_missing_file_says_what_to_do(server, monkeypatch):
    monkeypatch.setattr(download, "URL", f"{download.URL}.moved")
    with pytest.raises(
        download.MissingError, match=r"\(File not found\): get http.* with --detector"
    ):
        download.yunet()


def test_a_cache_that_cannot_be_written_says_so(server, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(download.MissingError, match=r"\((Not a directory|File exists)\)"):
        download.yunet()


def test_the_pinned_hash_is_that_of_the_zoo():
    if not (yunet := os.environ.get("MIEN_YUNET")):
        pytest.skip("MIEN_YUNET does not name YuNet's file")
    assert hashlib.sha256(Path(yunet).read_bytes()).hexdigest() == download.SHA256
