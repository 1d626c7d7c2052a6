"""scripts/comment.py against a stand-in of GitHub's API on this machine."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/comment.py"


class GitHub(BaseHTTPRequestHandler):
    """Keeps the comments under pull request 7, in pages of two."""

    server: "Server"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        assert path == "/repos/someone/mien/issues/7/comments"
        page = int(query.rpartition("=")[2])
        self.answer(200, self.server.comments[2 * (page - 1) : 2 * page])

    def do_POST(self) -> None:
        assert self.path == "/repos/someone/mien/issues/7/comments"
        self.write({"id": len(self.server.comments), "user": {"type": "Bot"}})

    def do_PATCH(self) -> None:
        number = int(self.path.removeprefix("/repos/someone/mien/issues/comments/"))
        self.write(self.server.comments[number])

    def write(self, comment: dict) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != "Bearer may-write":
            self.answer(self.server.refusal, {"message": "Resource not accessible by integration"})
            return
        comment |= sent
        if comment not in self.server.comments:
            self.server.comments.append(comment)
        self.answer(200, comment)

    def answer(self, status: int, content: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    refusal = 403

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), GitHub)
        # Someone quotes the mark of the script's own comment.
        user = {"type": "User"}
        bodies = ("hello", "<!-- mien: changes -->\nmine", "well done")
        self.comments = [{"id": n, "user": user, "body": text} for n, text in enumerate(bodies)]


@pytest.fixture
def github() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def comment(url: str, text: str, tmp_path: Path, token: str = "may-write", code: int = 0) -> str:
    (tmp_path / "page.md").write_text(text)
    env = {
        "GITHUB_API_URL": url,
        "GITHUB_REPOSITORY": "someone/mien",
        "GITHUB_TOKEN": token,
        "PATH": os.environ["PATH"],
    }
    command = [sys.executable, SCRIPT, tmp_path / "page.md", "7"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def test_the_second_text_takes_the_place_of_the_first(github, tmp_path):
    others = [dict(one) for one in github.comments]
    assert comment(url(github), "first ▲", tmp_path) == "comment: created\n"
    assert comment(url(github), "second", tmp_path) == "comment: edited\n"
    assert github.comments[:3] == others
    (own,) = github.comments[3:]
    assert own["body"] == "<!-- mien: changes -->\nsecond"


def test_a_token_that_only_reads_is_no_failure(github, tmp_path):
    said = comment(url(github), "text", tmp_path, token="may-read")
    assert said == "comment: this token may not write; the job's summary tells the same\n"
    assert len(github.comments) == 3


def test_another_refusal_and_no_answer_are_one_line(github, tmp_path):
    github.refusal = 422
    (line,) = comment(url(github), "text", tmp_path, token="may-read", code=1).splitlines()
    assert line.startswith("comment: GitHub answered 422 ")
    assert "GitHub cannot be reached" in comment("http://127.0.0.1:9", "text", tmp_path, code=1)


def test_a_text_too_long_for_github_is_cut(github, tmp_path):
    comment(url(github), "é" * 70_000, tmp_path)
    body = github.comments[3]["body"]
    assert len(body) == 65_536
    assert body.endswith("The rest is in the job's summary.\n")
