"""Faces are found in photos; YuNet's tests run where MIEN_YUNET names its file."""

import hashlib
import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_photos import photo

from mien.crops import detection, download
from mien.errors import ModelError

YUNET = os.environ.get("MIEN_YUNET")
needs_yunet = pytest.mark.skipif(not YUNET, reason="MIEN_YUNET does not name YuNet's file")


def centred(faces, places, share=0.1):
    """Tell whether each face's box stands in the middle of its place, in their order."""
    middles = [np.array(face.box[:2]) + np.array(face.box[2:]) / 2 for face in faces]
    return len(faces) == len(places) and all(
        np.abs(middle - (x + side / 2, y + side / 2)).max() < share * side
        for middle, (x, y, side, _) in zip(middles, places, strict=True)
    )


def test_the_cascade_finds_faces_from_left_to_right():
    places = ((20, 20, 160, 0), (200, 220, 160, 0), (400, 20, 200, 0))
    faces = detection.Cascade()(photo(430, 640, *places))
    assert centred(faces, places)
    assert all(face.landmarks is None for face in faces)


def test_the_cascade_finds_faces_in_a_large_photo_at_their_places():
    places = ((300, 200, 1200, 0),)
    assert centred(detection.Cascade()(photo(1800, 2700, *places)), places)


@pytest.mark.parametrize("shape", [(480, 640), (1, 1), (3, 2000)])
def test_a_photo_without_faces_has_none(shape):
    assert detection.Cascade()(np.full((*shape, 3), 150, np.uint8)) == []


@pytest.fixture(scope="module")
def yunet():
    return detection.YuNet(Path(YUNET))


@needs_yunet
@pytest.mark.parametrize("roll", [0, 20])
def test_yunet_finds_faces_and_where_the_eyes_are(yunet, roll):
    places = ((40, 30, 240, roll), (330, 120, 240, roll))
    faces = yunet(photo(400, 640, *places))
    assert centred(faces, places, 0.15)
    for face in faces:
        left, right = face.landmarks[:2]
        assert np.degrees(np.arctan2(*(right - left)[::-1])) == pytest.approx(roll, abs=8)


@needs_yunet
def test_yunet_finds_the_large_and_the_small_in_one_photo(yunet):
    places = ((50, 300, 1500, 0), (1800, 900, 110, 0), (2300, 1000, 110, 0))
    assert centred(yunet(photo(2000, 3000, *places)), places, 0.2)


@needs_yunet
@pytest.mark.parametrize("shape", [(480, 640), (1, 1), (3, 2000), (100, 40)])
def test_yunet_finds_nothing_where_nothing_is(yunet, shape):
    # Many times: what OpenCV made up for narrow photos changed from call to call.
    for _ in range(20):
        assert yunet(np.full((*shape, 3), 150, np.uint8)) == []


@needs_yunet
def test_boxes_end_at_the_edge_of_the_photo(yunet):
    image = photo(300, 300, (0, 0, 300, 0))[60:, 55:]
    (face,) = yunet(image)
    x, y, width, height = face.box
    assert x >= 0 <= y
    assert x + width <= image.shape[1]
    assert y + height <= image.shape[0]


def test_a_wrong_detector_file_is_one_line(tmp_path):
    with pytest.raises(ModelError, match="no such file; --detector takes YuNet's"):
        detection.best(tmp_path / "none.onnx")
    file = tmp_path / "page.onnx"
    file.write_text("<html>")
    with pytest.raises(ModelError, match=r"no YuNet file that OpenCV reads; take face_det") as one:
        detection.best(file)
    assert "\n" not in str(one.value)


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
        thread = threading.Thread(target=running.serve_forever)
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


def test_without_a_network_the_cascade_steps_in_with_a_note(server):
    server.shutdown()
    server.server_close()
    detector, note = detection.best()
    assert isinstance(detector, detection.Cascade)
    assert note.startswith("the face detector YuNet cannot be downloaded (Connection refused)")
    assert note.endswith("Until then OpenCV's cascade, which misses more faces.")
    assert "\n" not in note


def test_the_pinned_hash_is_that_of_the_zoo():
    if not YUNET:
        pytest.skip("MIEN_YUNET does not name YuNet's file")
    assert hashlib.sha256(Path(YUNET).read_bytes()).hexdigest() == download.SHA256
    assert cv2.FaceDetectorYN.create(YUNET, "", (320, 320)) is not None
