"""What the command `mien` says of itself, and where its photos may come from."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from drawn_photos import exported, model, photo, write

from mien import cli
from mien.crops.formats import VIDEOS
from mien.errors import ParamError
from mien.inference import photos, video

TWO = photo(400, 640, (40, 30, 160, 0), (330, 120, 240, 0))
COMMANDS = ("models", "predict", "tune-worker", "report", "doctor", "promote")


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A folder with a model, a photo of two faces and a video of them, 1.5 s long."""
    monkeypatch.chdir(tmp_path)
    Path("tiny.onnx").write_bytes(model())
    write(Path("two.png"), TWO)
    writer = cv2.VideoWriter("clip.mp4", cv2.VideoWriter.fourcc(*"mp4v"), 10, (640, 400))
    for _ in range(15):
        writer.write(TWO)
    writer.release()
    return tmp_path


def predict(*arguments: str) -> None:
    cli.main(["predict", "--model", "tiny.onnx", *arguments])


def answered(*arguments: str, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "mien", *arguments]
    return subprocess.run(command, capture_output=True, **options)


def test_the_module_is_the_command_and_tells_its_version():
    told = answered("--version").stdout.decode()
    assert re.fullmatch(r"mien \d+\.\d+\.\d+\n", told)
    assert told.split()[1] in Path(__file__).parents[2].joinpath("pyproject.toml").read_text()


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_every_help_has_an_example_and_fits_a_terminal_of_80_columns(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    with pytest.raises(SystemExit, match="0"):
        cli.main([*command, "--help"])
    told = capsys.readouterr().out
    assert re.search(rf"[Ee]xamples?:\s+mien {' '.join(command)}", told)
    assert max(map(len, told.splitlines())) <= 80
    assert "\x1b" not in told


def test_examples_of_the_help_are_valid_commands(capsys):
    with pytest.raises(SystemExit):
        cli.main(["predict", "--help"])
    lines = re.findall(r"^  mien (predict .*)$", capsys.readouterr().out, re.M)
    assert len(lines) == 5
    for line in lines:
        assert cli._parser().parse_args([word.strip("'") for word in line.split()])


def test_a_shell_gets_its_completion(capsys):
    pytest.importorskip("shtab", reason="shtab is not installed")
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--print-completion", "bash"])
    script = capsys.readouterr().out
    question = f"{script}\nCOMP_WORDS=(mien pre); COMP_CWORD=1; _shtab_mien; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", question], capture_output=True, text=True, check=True)
    assert done.stdout == "predict\n"


def test_architectures_come_as_json(capsys):
    cli.main(["models", "mini_xception", "--format", "json"])
    assert json.loads(capsys.readouterr().out) == [
        {
            "name": "mini_xception",
            "parameters": 58_423,
            "multiply_adds": pytest.approx(3e6, rel=0.9),
            "source": "Arriaga et al. 2017, arXiv:1710.07557",
        }
    ]


def test_what_is_wrong_comes_as_json_too(tmp_path, monkeypatch, capsys):
    doctor = pytest.importorskip("mien.doctor", reason="the pipeline is not installed")
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").touch()
    found = [("one", True, "good"), ("two", False, "größer")]
    monkeypatch.setattr(doctor, "examine", lambda repair: iter(found))
    with pytest.raises(SystemExit, match="1 of the checks found something wrong"):
        cli.main(["doctor", "--format", "json"])
    rows = [tuple(one.values()) for one in json.loads(capsys.readouterr().out)]
    assert rows == found


def test_a_data_source_that_is_missing_is_told_by_its_param(monkeypatch):
    doctor = pytest.importorskip("mien.doctor", reason="the pipeline is not installed")
    found = SimpleNamespace(data=SimpleNamespace(url=None, source="nowhere.zip"))
    monkeypatch.setattr(doctor.params, "load", lambda: found)
    with pytest.raises(ParamError, match=r"^data\.source: nowhere\.zip does not exist; name a fol"):
        doctor._params()


@pytest.mark.parametrize(
    ("script", "settings", "line"),
    [
        ("check_params.py", "", "make: data.source: nowhere.zip does not exist; name a folder"),
        ("run.py", "data.source=none.zip", "run: data.source: none.zip does not exist; name a fo"),
    ],
)
def test_make_tells_it_before_dvc_does(tmp_path, script, settings, line):
    root = Path(__file__).parents[2]
    text = (root / "params.yaml").read_text()
    assert text.count("  source: data/sample\n") == 1
    changed = text.replace("  source: data/sample\n", "  source: nowhere.zip\n")
    (tmp_path / "params.yaml").write_text(changed)
    done = subprocess.run(
        [sys.executable, str(root / "scripts" / script)],
        cwd=tmp_path,
        env=os.environ | {"SOURCE": "", "SET": settings},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1


def test_a_photo_on_standard_input_is_read_as_the_file_is(room):
    given = ("--model", "tiny.onnx", "--format", "csv")
    piped = answered(
        "predict", "-", *given, "--annotate", "drawn", input=Path("two.png").read_bytes()
    )
    named = answered("predict", "two.png", *given)
    assert piped.stdout == named.stdout.replace(b"two.png", b"-")
    assert piped.stdout.count(b"\n") == 3
    assert cv2.imread("drawn/-.jpg").shape[:2] == (400, 640)


def test_nothing_on_standard_input_is_an_unreadable_photo(room):
    done = answered("predict", "-", "--model", "tiny.onnx", input=b"")
    assert (done.returncode, done.stderr) == (2, b"mien: -: an empty file\n")


def test_the_videos_of_a_folder_are_read(room, capsys):
    Path("set").mkdir()
    Path("clip.mp4").rename("set/clip.mp4")
    Path("two.png").rename("set/two.png")
    predict("set", "--every", "1", "--format", "json")
    told = json.loads(capsys.readouterr().out)
    assert [(one["image"], one.get("time")) for one in told] == [
        ("set/clip.mp4", 0),
        ("set/clip.mp4", pytest.approx(1, abs=0.002)),
        ("set/two.png", None),
    ]
    assert {".ts", ".flv"} <= VIDEOS
    assert photos.is_video(Path("a.TS"))


@pytest.mark.parametrize("given", ["0", "rtsp://host/live", "http://host/a.mjpg"])
def test_a_camera_that_is_named_as_a_photo_is_one_line_with_the_hint(room, given):
    with pytest.raises(SystemExit, match=rf"^mien: {given}: no such file; .*--camera {given}$"):
        predict(given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["two.png", "--camera", "0"], "expected PHOTO, .* or --camera, and not both"),
        (["--camera", "0", "--annotate", "a"], "--annotate, --explain and --chart are for files"),
        (["--camera", "0", "--format", "parquet"], "--format parquet has no rows before the end"),
        (["--camera", "99"], "--camera 99: no picture comes from it; expected the number of a cam"),
        (["--camera", "rtsp://127.0.0.1:9/a"], "--camera rtsp://.*: no picture comes from it"),
    ],
)
def test_a_mistake_with_a_camera_is_one_line(room, capfd, arguments, message):
    with pytest.raises(SystemExit, match=f"^mien: {message}") as caught:
        predict(*arguments)
    assert "\n" not in caught.value.code
    assert capfd.readouterr() == ("", "")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def stream(room):
    """The address at which the video is served, as a camera of the network would."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=room)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/clip.mp4"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("form", ["json", "csv", "table"])
def test_a_stream_is_read_to_its_end_and_says_what_the_file_says(stream, capsys, form):
    predict("--camera", stream, "--every", "1", "--format", form)
    streamed = capsys.readouterr().out
    predict("clip.mp4", "--every", "1", "--format", form)
    read = capsys.readouterr().out.replace("clip.mp4", "camera")
    if form == "json":
        assert [json.loads(line) for line in streamed.splitlines()] == json.loads(read)
    elif form == "csv":
        assert streamed == read
    else:
        assert [line.split() for line in streamed.splitlines()] == [
            line.split() for line in read.splitlines()
        ]


def test_the_rows_of_a_camera_come_as_they_are_read_until_ctrl_c(room, monkeypatch):
    """A camera that sends for ever: the first rows are there while it still sends."""
    rows = room / "rows.csv"
    seen = []

    class Camera:
        def __init__(self, source):
            assert source == 0

        def grab(self):
            seen.append(rows.read_text().count("\n") if rows.exists() else 0)
            if seen[-1] >= 5:
                raise KeyboardInterrupt
            return True

        def get(self, _):
            return 0.0

        def retrieve(self):
            return True, TWO

        def release(self):
            seen.append("released")

    monkeypatch.setattr(video.cv2, "VideoCapture", Camera)
    with pytest.raises(SystemExit, match="130"):
        predict("--camera", "0", "--every", "0.001", "--output", "rows.csv")
    assert seen[-1] == "released"
    lines = rows.read_text().splitlines()
    assert lines[0].startswith("image,time,face,track,x,y,w,h,emotion,")
    assert [line.split(",")[2] for line in lines[1:5]] == ["1", "2"] * 2
    times = [float(line.split(",")[1]) for line in lines[1:]]
    assert times == sorted(times)
    assert times[-1] > 0


def test_ctrl_c_ends_a_stream_with_130(room):
    """The same with a real signal, to a process that waits for the next frame."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    running = subprocess.Popen(
        [sys.executable, "-m", "mien", "predict", "--model", "tiny.onnx", "--format", "json",
         "--every", "0.1", "--camera", f"http://127.0.0.1:{server.server_port}/a.mjpg"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    first = json.loads(running.stdout.readline())
    running.send_signal(signal.SIGINT)
    complaint = running.communicate(timeout=60)[1]
    server.shutdown()
    assert len(first["faces"]) == 2
    assert (running.returncode, complaint) == (130, b"mien: interrupted\n")


class Endless(Quiet):
    """Sends one picture again and again, as cameras of the network do."""

    def do_GET(self):
        picture = cv2.imencode(".jpg", TWO)[1].tobytes()
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
        try:
            while True:
                self.wfile.write(head.encode() + picture + b"\r\n")
                threading.Event().wait(0.02)
        except OSError:
            pass


def test_a_model_of_drawn_faces_says_so_in_one_line(room, capsys):
    exported(drawn=True)
    cli.main(["predict", "two.png", "--model", "models/export", "--format", "csv"])
    warned = capsys.readouterr()
    assert warned.err == (
        "mien: models/export: learned on drawn faces, so what it says of real ones means little; "
        "take fer7 for those\n"
    )
    exported(drawn=False)
    cli.main(["predict", "two.png", "--model", "models/export/model.onnx", "--format", "csv"])
    assert capsys.readouterr() == (warned.out, "")


def test_a_card_that_is_none_warns_of_nothing(room, capsys):
    folder = exported()
    for text in ("", "[1]", '{"drawn": "no"}'):
        (folder / "card.json").write_text(text)
        cli.main(["predict", "two.png", "--model", "models/export"])
        assert capsys.readouterr().err == ""


def test_a_terminal_gets_no_colours(room):
    done = answered(
        "predict", "two.png", "--model", "tiny.onnx", env=os.environ | {"FORCE_COLOR": "1"}
    )
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout + done.stderr


def test_standard_input_is_read_once(monkeypatch):
    photos._standard_input.cache_clear()
    data = cv2.imencode(".png", TWO)[1].tobytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    first, second = (photos.load(photos.STANDARD_INPUT) for _ in range(2))
    photos._standard_input.cache_clear()
    assert np.array_equal(first, TWO)
    assert np.array_equal(second, TWO)
