"""Downloads, against servers on this machine."""

import asyncio
import hashlib
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import gdown
import pytest
import requests
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from mien.errors import SourceError
from mien.sources import remote

DATA = b"PK and then some" * 1000
SHA = hashlib.sha256(DATA).hexdigest()
DRIVE_ID = "1aBcDeFgHiJkLmNoPqRsTuVwXyZ012345"


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        super().do_GET()

    def end_headers(self):
        if self.path.startswith("/uc"):
            self.send_header("Content-Disposition", 'attachment; filename="faces of all.zip"')
        super().end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    for name in ("faces.zip", "uc"):
        (folder / name).write_bytes(DATA)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as running:
        running.asked = []
        running.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def kept(folder):
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_a_file_is_downloaded_once_and_keeps_its_name(server, tmp_path):
    url = f"{server.url}/faces.zip?token=1"
    first = remote.fetch(url, SHA, tmp_path / "downloads")
    assert (first.name, first.read_bytes()) == ("faces.zip", DATA)
    assert remote.fetch(url, SHA, tmp_path / "downloads") == first
    assert remote.fetch(url, None, tmp_path / "downloads") == first
    assert len(server.asked) == 1


def test_equal_names_at_two_addresses_stay_apart(server, tmp_path):
    one, other = (
        remote.fetch(f"{server.url}/faces.zip?v={version}", None, tmp_path) for version in (1, 2)
    )
    assert one != other


def test_a_damaged_download_is_fetched_again(server, tmp_path):
    url = f"{server.url}/faces.zip"
    remote.fetch(url, SHA, tmp_path / "downloads").write_bytes(b"damaged")
    assert remote.fetch(url, SHA, tmp_path / "downloads").read_bytes() == DATA


def test_a_wrong_hash_is_refused_and_nothing_kept(server, tmp_path):
    with pytest.raises(SourceError, match=f"expected sha256 {'0' * 64}, got {SHA}") as caught:
        remote.fetch(f"{server.url}/faces.zip", "0" * 64, tmp_path / "downloads")
    assert "\n" not in str(caught.value)
    assert kept(tmp_path / "downloads") == []


def test_a_missing_file_says_how_to_go_on_by_hand(server, tmp_path):
    with pytest.raises(SourceError, match=r"there is no such file; .* set data.source") as caught:
        remote.fetch(f"{server.url}/none.zip", None, tmp_path / "downloads")
    assert "\n" not in str(caught.value)
    assert kept(tmp_path / "downloads") == []


def test_an_unreachable_host_is_one_line(server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(
        SourceError, match=r"cannot be downloaded: .*127\.0\.0\.1.*by hand"
    ) as caught:
        remote.fetch(f"{server.url}/faces.zip", None, tmp_path)
    assert "\n" not in str(caught.value)


class Store(MemoryFileSystem):
    """A bucket store in memory, in the place of s3fs and gcsfs."""

    protocol = ("s3", "gs")

    @classmethod
    def _strip_protocol(cls, path):
        return "/" + path.split("://")[-1].lstrip("/")


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_stores_are_read_through_fsspec(monkeypatch, tmp_path, scheme):
    # `fsspec.registry` the attribute is a read-only view of what this module holds.
    monkeypatch.setitem(sys.modules["fsspec.registry"]._registry, scheme, Store)
    monkeypatch.setattr(Store, "store", {})
    Store().pipe_file("/bucket/faces.zip", DATA)
    path = remote.fetch(f"{scheme}://bucket/faces.zip", SHA, tmp_path)
    assert (path.name, path.read_bytes()) == ("faces.zip", DATA)


def test_a_silent_store_is_given_up_in_time(monkeypatch, tmp_path):
    class Silent(AsyncFileSystem):
        protocol = "gs"
        cachable = False

        async def _info(self, path, **options):
            await asyncio.sleep(60)

    monkeypatch.setitem(sys.modules["fsspec.registry"]._registry, "gs", Silent)
    monkeypatch.setattr(remote, "FOUND", 0.1)
    with pytest.raises(SourceError, match="no answer in time"):
        remote.fetch("gs://bucket/faces.zip", None, tmp_path)


@pytest.mark.parametrize(("scheme", "module"), [("s3", "s3fs"), ("gs", "gcsfs")])
def test_a_missing_extra_is_named(monkeypatch, tmp_path, scheme, module):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, scheme, raising=False)
    with pytest.raises(SourceError, match=rf"run `pip install '\.\[{scheme}\]'`"):
        remote.fetch(f"{scheme}://bucket/faces.zip", None, tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        DRIVE_ID,
        f"https://drive.google.com/file/d/{DRIVE_ID}/view?usp=sharing",
        f"https://drive.google.com/uc?export=download&id={DRIVE_ID}",
        f"https://drive.google.com/open?id={DRIVE_ID}",
    ],
)
def test_drive_links_and_ids_go_through_gdown(server, monkeypatch, tmp_path, url):
    get = requests.Session.get

    def local(session, address, **options):
        assert address == f"https://drive.google.com/uc?id={DRIVE_ID}"
        return get(session, address.replace("https://drive.google.com", server.url), **options)

    monkeypatch.setattr(requests.Session, "get", local)
    monkeypatch.setitem(gdown.download.__globals__, "_save_cookies", lambda **_: None)
    path = remote.fetch(url, SHA, tmp_path / "downloads")
    assert (path.name, path.read_bytes()) == ("faces of all.zip", DATA)
    assert remote.fetch(url, SHA, tmp_path / "downloads") == path
    assert server.asked == [f"/uc?id={DRIVE_ID}"]


def test_a_drive_folder_is_refused(tmp_path):
    url = f"https://drive.google.com/drive/folders/{DRIVE_ID}"
    with pytest.raises(SourceError, match="it is no link to a single file"):
        remote.fetch(url, None, tmp_path)


@pytest.mark.parametrize("url", ["ftp://host/faces.zip", "faces.zip", "file:///faces.zip"])
def test_other_addresses_are_refused(tmp_path, url):
    with pytest.raises(SourceError, match="expected an http, https, s3 or gs address"):
        remote.fetch(url, None, tmp_path)
