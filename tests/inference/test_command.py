"""The command `mien predict`, from the files to the answer."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES, drawn_images
from drawn_photos import model, photo, write

from mien import cli
from mien.inference.reader import Reader


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A folder to work in: a model, four crops and a photo of two faces."""
    monkeypatch.chdir(tmp_path)
    Path("tiny.onnx").write_bytes(model())
    for number, image in enumerate(drawn_images(4)[0]):
        write(Path(f"crops/{number}.png"), image)
    write(Path("two.jpg"), photo(400, 640, (40, 30, 160, 0), (330, 120, 240, 0)))
    return tmp_path


def predict(*arguments: str) -> None:
    cli.main(["predict", "--model", "tiny.onnx", *arguments])


def test_crops_are_read_and_the_table_is_all_that_is_written(room, capsys):
    predict("crops", "--no-detect")
    written = capsys.readouterr()
    rows = [line.split() for line in written.out.splitlines()[1:]]
    assert [(row[0], row[6]) for row in rows] == [
        (f"crops/{number}.png", label) for number, label in enumerate(CLASSES)
    ]
    assert written.err == ""


def test_faces_are_found_in_a_photo(room, capsys):
    predict("two.jpg", "--format", "json")
    (told,) = json.loads(capsys.readouterr().out)
    assert [face["box"][0] < 320 for face in told["faces"]] == [True, False]


@pytest.mark.parametrize("name", ["out/faces.csv", "out/faces.json", "out/faces.parquet"])
def test_the_name_of_the_output_tells_its_format(room, capsys, name):
    predict("crops", "--no-detect", "--output", name)
    assert capsys.readouterr().out == ""
    match Path(name).suffix:
        case ".csv":
            labels = pd.read_csv(name)["emotion"].tolist()
        case ".json":
            labels = [one["faces"][0]["emotion"] for one in json.loads(Path(name).read_text())]
        case _:
            labels = pd.read_parquet(name)["emotion"].tolist()
    assert labels == list(CLASSES)


def test_an_unreadable_photo_is_named_and_the_rest_is_read(room, capsys):
    Path("crops/1.png").write_bytes(b"<html>")
    with pytest.raises(SystemExit) as caught:
        predict("crops", "--no-detect", "--format", "csv", "--annotate", "drawn")
    assert caught.value.code == 2
    written = capsys.readouterr()
    assert written.err.startswith("mien: crops/1.png: no image; expected JPEG")
    rows = written.out.splitlines()[1:]
    assert len(rows) == 4
    assert rows[1].startswith('crops/1.png,,,,,,,,,,,,"no image; expected')
    assert sorted(path.name for path in Path("drawn").iterdir()) == [
        "0.png.jpg",
        "2.png.jpg",
        "3.png.jpg",
    ]


def test_abstaining_answers_unsure(room, capsys):
    predict("crops", "--no-detect", "--abstain", "1", "--format", "json")
    told = json.loads(capsys.readouterr().out)
    assert {one["faces"][0]["emotion"] for one in told} == {"unsure"}


def test_a_video_gives_frames_pictures_and_a_chart(room, capsys):
    writer = cv2.VideoWriter("clip.mp4", cv2.VideoWriter.fourcc(*"mp4v"), 10, (640, 400))
    for _ in range(15):
        writer.write(cv2.imread("two.jpg"))
    writer.release()
    predict("two.jpg", "clip.mp4", "--every", "1", "--format", "json", "--annotate", "drawn",
            "--chart", "out/chart.png")  # fmt: skip
    still, *frames = json.loads(capsys.readouterr().out)
    assert "time" not in still
    assert [frame["time"] for frame in frames] == pytest.approx([0, 1], abs=0.002)
    assert [[face["track"] for face in frame["faces"]] for frame in frames] == [[1, 2]] * 2
    assert sorted(path.name for path in Path("drawn").iterdir()) == ["clip.mp4", "two.jpg"]
    assert cv2.imread("out/chart.png") is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.jpg"], "none.jpg: no such file or folder"),
        (["crops", "--model", "other.onnx"], r"other.onnx: No such file .*--model takes fer7"),
        (["crops", "--abstain", "2"], "--abstain: expected a probability from 0 to 1, got 2"),
        (["crops", "--every", "0"], "--every: expected seconds above 0, got 0"),
        (["crops", "--format", "parquet"], "--format parquet is not .* name a file with --output"),
        (["crops", "--chart", "a.png"], "--chart draws one video, got 0"),
        (["two.jpg", "--annotate", "."], "--annotate . would replace two.jpg"),
        (["crops", "--output", "two.jpg/a.csv"], "two.jpg/a.csv cannot be written: "),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(room, capsys, arguments, message):
    with pytest.raises(SystemExit, match=f"^mien: {message}") as caught:
        predict("--no-detect", *arguments)
    assert "\n" not in caught.value.code
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND; see `mien --help`"),
        (["predict"], "expected PHOTO, a file or folder .* not both; see `mien predict --help`"),
        (["predict", "a", "--every", "x"], "argument --every: invalid float value: 'x'; see "),
        (["models", "--all"], "unrecognized arguments: --all; see `mien --help`"),
        (["tune-worker"], "the following arguments are required: arch; see `mien tune-worker "),
    ],
)
def test_a_mistake_in_the_usage_is_one_line_too(capsys, arguments, message):
    with pytest.raises(SystemExit, match=f"^mien: {message}") as caught:
        cli.main(arguments)
    assert "\n" not in caught.value.code
    assert capsys.readouterr().err == ""


def launched(*arguments: str, **settings) -> subprocess.Popen:
    """Start `mien predict` on the crops as a shell does, its output in a buffer."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "mien.cli", "predict", "--model", "tiny.onnx", "--no-detect"]
    return subprocess.Popen(
        [*command, *arguments],
        env=environment | settings.pop("env", {}),
        stderr=subprocess.PIPE,
        **settings,
    )


def test_ctrl_c_is_one_line_and_exit_code_130(room):
    many = ["crops/0.png", *[f"{number}.png" for number in range(3000)]]
    for name in many[1:]:
        os.link(many[0], name)
    running = launched(
        *many,
        "--output",
        "faces.csv",
        stdout=subprocess.PIPE,
        # What runs in a shell's background, as these tests may, is deaf to it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    # It is made before the first photo is read.
    while not Path("faces.csv").exists():
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    assert running.communicate() == (b"", b"mien: interrupted\n")
    assert running.returncode == 130


def test_whoever_closes_the_pipe_hears_nothing_more(room):
    read, write_end = os.pipe()
    os.close(read)
    running = launched("crops", stdout=write_end)
    os.close(write_end)
    assert running.communicate()[1] == b""
    assert running.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_line(room):
    with open("/dev/full", "wb") as full:
        running = launched("crops", stdout=full)
    assert running.communicate()[1] == b"mien: [Errno 28] No space left on device\n"
    assert running.returncode == 1


def test_a_closed_output_is_no_trouble(room):
    command = f"{sys.executable} -m mien.cli predict --model tiny.onnx --no-detect crops >&-"
    assert subprocess.run(command, shell=True, capture_output=True).stderr == b""


def test_names_are_written_as_they_are_whatever_the_terminal_says(room):
    Path("crops/0.png").rename("crops/größe.png")
    running = launched("crops", stdout=subprocess.PIPE, env={"PYTHONIOENCODING": "ascii"})
    told, complaint = running.communicate()
    assert complaint == b""
    assert "crops/größe.png" in told.decode()


def test_an_output_that_cannot_be_written_is_seen_before_the_reading(room, monkeypatch):
    def read_files(reader, paths):
        raise AssertionError("read for nothing")

    monkeypatch.setattr(Reader, "read_files", read_files)
    with pytest.raises(SystemExit, match="crops cannot be written: Is a directory"):
        predict("crops", "--no-detect", "--output", "crops")


def test_a_missing_package_is_named(room, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="pyarrow is not installed; run `pip install pyarrow`"):
        predict("crops", "--no-detect", "--output", "a.parquet")


def test_no_framework_and_no_pandas_is_imported(room):
    code = (
        "import sys; from mien import cli\n"
        "cli.main(['predict', 'two.jpg', '--model', 'tiny.onnx', '--no-detect'])\n"
        "print({'keras', 'tensorflow', 'mlflow', 'pandas', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.splitlines()[-1] == "set()"


def test_the_list_of_options_imports_nothing_heavy():
    code = (
        "import sys; from mien import cli\n"
        "try: cli.main(['predict', '--help'])\n"
        "except SystemExit: print({'cv2', 'numpy', 'onnxruntime'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_a_thousand_small_crops_are_no_trouble_for_two_cores(room, capsys):
    """Every answer in its place, whichever thread read it first."""
    images, codes = drawn_images(1000, seed=4)
    for number, image in enumerate(images):
        write(Path(f"many/{number:04}.png"), image)
    predict("many", "--no-detect", "--format", "json")
    told = json.loads(capsys.readouterr().out)
    answers = np.array([CLASSES.index(one["faces"][0]["emotion"]) for one in told])
    assert np.array_equal(answers, codes)
