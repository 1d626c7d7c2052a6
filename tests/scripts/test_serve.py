"""The champion behind a real server, from the documented request to hostile ones."""

import base64
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import CLASSES, drawn_images, encoded, listening
from drawn_photos import exported, photo, write
from made_state import evaluation, made, project

from mien import tracking
from mien.inference import classify

ROOT = Path(__file__).parents[2]
FACES, CODES = drawn_images(8)


def environment() -> dict[str, str]:
    # Nothing listens there, so that nothing can be downloaded.
    nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "PYTHONPATH": str(ROOT / "src"), "no_proxy": "127.0.0.1", **nowhere}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """Yield the address of a server and the project's folder it was started in."""
    with pytest.MonkeyPatch.context() as patch:
        root = project(tmp_path_factory.mktemp("served"), patch)
        model = made()
        tracking.track([model], evaluation(model), root, exported())
    port = free_port()
    log = (root / "server.log").open("w")
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts/serve.py"), str(port)],
        cwd=root,
        env=environment() | {"XDG_CACHE_HOME": str(root)},
        stdout=log,
        stderr=log,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        waited = time.monotonic() + 120
        while not alive(address):
            assert process.poll() is None, (root / "server.log").read_text()
            assert time.monotonic() < waited, (root / "server.log").read_text()
            time.sleep(0.2)
        yield address, root
    finally:
        process.terminate()
        process.wait(30)


def alive(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/ping", timeout=10) as answer:
            return answer.status == 200
    except OSError:
        return False


def post(address: str, body: Any, kind: str = "application/json") -> tuple[int, str]:
    """Return the status and the text of the answer to `body`, bytes or what JSON can hold."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}/invocations", data, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def base64_of(image: np.ndarray) -> str:
    return base64.b64encode(encoded(image)).decode()


def records(*images: Any, **more: Any) -> dict[str, Any]:
    return {"dataframe_records": [{"image": image} for image in images], **more}


def test_the_documented_request_is_answered(server):
    address, root = server
    blocks = re.findall(r"^```\n(.*?)^```", (ROOT / "docs/serving.md").read_text(), re.S | re.M)
    (line,) = (block for block in blocks if "curl" in block)
    write(root / "photo.jpg", photo(400, 640, (330, 100, 260, 0)))
    # More than one argument of a command may hold.
    (root / "photo.jpg").open("ab").write(bytes(300_000))
    line = line.replace("http://127.0.0.1:5001", address)
    done = subprocess.run(
        ["bash", "-c", line], cwd=root, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["predictions"]
    assert list(row) == ["x", "y", "w", "h", "emotion", "confidence", *CLASSES]
    assert 330 < row["x"] < row["x"] + row["w"] < 590


def test_a_batch_is_answered_row_by_row(server):
    address, root = server
    status, text = post(address, records(*map(base64_of, FACES)))
    assert status == 200, text
    rows = json.loads(text)["predictions"]
    assert [row["emotion"] for row in rows] == [CLASSES[code] for code in CODES]
    model = classify.Classifier((root / "models/export/model.onnx").read_bytes(), "tiny")
    found = [[row[label] for label in CLASSES] for row in rows]
    np.testing.assert_allclose(found, model(FACES), rtol=0, atol=1e-6)


def test_clients_at_once_get_their_own_answers(server):
    address, _ = server
    requests = [records(base64_of(FACES[number % len(FACES)])) for number in range(32)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda body: post(address, body), requests))
    assert {status for status, _ in answers} == {200}
    told = [json.loads(text)["predictions"][0]["emotion"] for _, text in answers]
    assert told == [CLASSES[CODES[number % len(FACES)]] for number in range(32)]


def png(side: int) -> str:
    """Return a PNG whose header tells of `side` by `side` pixels, of which few are there."""
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0),
        b"IDAT": zlib.compress(bytes(1000)),
        b"IEND": b"",
    }
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts.items()
    ]
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(chunks)).decode()


GOOD = base64_of(FACES[0])
HOSTILE = {
    "no base64": (records("*** ***"), "image in row 0: no base64; expected"),
    "no image": (records(GOOD, "aGVsbG8="), "image in row 1: no image; expected"),
    "a bomb": (records(png(50_000)), "row 0: more than 50 megapixels: make it smaller"),
    "a small bomb": (records(png(7_500)), "row 0: 7500 by 7500 pixels, 56 megapixels; expected"),
    "cut off": (records(GOOD[:-600]), "image in row 0: damaged or cut off"),
    "an empty text": (records(""), "image in row 0: an empty file"),
    "a number": (records(5), "image in row 0: no base64; expected"),
    "a null beside": (records(GOOD, None), "image in row 1: no base64; expected"),
    "no records": (records(), "missing inputs ['image']"),
    "no rows": ({"dataframe_split": {"columns": ["image"], "data": []}}, "no rows; expected"),
    "no column": ({"dataframe_records": [{"photo": GOOD}]}, "missing inputs ['image']"),
    "an array": ({"inputs": FACES.tolist()}, "image in row 0: no base64; expected"),
    "an odd param": (records(GOOD, params={"detect": "maybe"}), "Failed to validate type"),
    "no object": ([1], "must be a JSON dictionary"),
    "no known field": ({"image": GOOD}, "must be a JSON dictionary with exactly one"),
    "cut JSON": (b'{"dataframe_records": [', "valid JSON"),
    "no UTF-8": (b"\xff\xfe", "valid JSON"),
    "nothing": (b"", "valid JSON"),
    "zeros": (bytes(5000), "valid JSON"),
    "a number alone": (b"5", "must be a JSON dictionary"),
    "a text alone": (b'"image"', "must be a JSON dictionary"),
    "nothing in words": (b"null", "must be a JSON dictionary"),
    "two fields": ({"dataframe_records": [], "inputs": []}, "must be a JSON dictionary"),
    "a list as an image": (records([GOOD]), "row 0: no base64; expected"),
    "a mapping as an image": (records({"b64": GOOD}), "row 0: no base64; expected"),
    "yes as an image": (records(True), "row 0: no base64; expected"),
    "a path": (records("/etc/passwd"), "row 0: no base64; expected"),
    "an address": (records("http://127.0.0.1:9/a.png"), "row 0: no base64; expected"),
    "an image with its kind": (records(f"data:image/png;base64,{GOOD}"), "row 0: no base64"),
    "letters outside base64": (records("é" * 100), "row 0: no base64; expected"),
    "base64 cut": (records(GOOD[:-1]), "row 0: no base64; expected"),
    "a zip": (records(base64.b64encode(b"PK\5\6" + bytes(18)).decode()), "row 0: no image"),
    "a pickle": (records(base64.b64encode(b"\x80\x04N.").decode()), "row 0: no image"),
    "a phone's photo": (
        records(base64.b64encode(b"\0\0\0\x18ftypheic" + bytes(99)).decode()),
        "row 0: HEIC",
    ),
    "a list of params": (records(GOOD, params=[1]), "Parameters must be"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_wrong_request_is_refused_with_a_reason(server, name):
    address, _ = server
    body, reason = HOSTILE[name]
    status, text = post(address, body)
    assert status == 400, text
    assert reason in json.loads(text)["message"]
    assert "stack_trace" not in json.loads(text)
    assert post(address, records(GOOD))[0] == 200


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 200_000])
def test_json_without_bottom_does_not_end_the_server(server, body):
    address, _ = server
    status, text = post(address, body)
    assert status == 400, text
    assert "JSON nested too deep" in text
    assert post(address, records(GOOD))[0] == 200


@pytest.mark.parametrize("declared", [True, False])
def test_a_request_beyond_the_bound_is_refused_before_it_is_read(server, declared):
    """It never comes to its end: what answers has not waited for it."""
    address, _ = server
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), 60) as client:
        size = b"Content-Length: 10737418240" if declared else b"Transfer-Encoding: chunked"
        head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        client.sendall(head + size + b"\r\n\r\n")
        for _ in range(0 if declared else 33):
            client.sendall(b"100000\r\n" + bytes(2**20) + b"\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")
    assert post(address, records(GOOD))[0] == 200


def test_it_listens_on_this_machine_alone(server):
    assert listening(int(server[0].rpartition(":")[2])) == ["127.0.0.1"]


def test_without_a_champion_it_is_one_line(tmp_path):
    command = [sys.executable, str(ROOT / "scripts/serve.py"), str(free_port())]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert re.fullmatch(r"serve: models:/mien@champion: no mlflow\.db in .*\n", done.stderr)
    assert not list(tmp_path.iterdir())
