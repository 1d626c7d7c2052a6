"""A disk that is full or cannot be written to: one line, and later the same bytes as without it."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from laid import lay, repro

from mien import cli

SIZE = 64 * 2**20


def mount(*arguments: object) -> None:
    command = ["mount", *map(str, arguments)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("a disk of its own needs mount")
    if done.returncode:
        pytest.skip(f"a disk of its own needs root: {done.stderr.strip()}")


@contextmanager
def disk(place: Path) -> Iterator[None]:
    """Put a small disk at `place`."""
    place.mkdir(parents=True, exist_ok=True)
    mount("-t", "tmpfs", "-o", f"size={SIZE}", "none", place)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def fill(place: Path, free: int) -> Path:
    """Leave about `free` bytes on the disk at `place`; return the file that has the others."""
    filler = place / "filler"
    with filler.open("wb") as file:
        left = shutil.disk_usage(place).free - free
        file.write(bytes(max(0, left)))
    return filler


def the_line(done: subprocess.CompletedProcess, stage: str) -> str:
    """Return the stage's line about what failed, the only one."""
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "Errno" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith(f"{stage}: ")]
    return line


def test_a_full_disk_is_one_line_and_ends_in_the_same_bytes(tmp_path):
    calm, full = tmp_path / "calm", tmp_path / "full"
    for folder in (calm, full):
        lay(folder)
    done = repro(calm, "train")
    assert done.returncode == 0, done.stderr
    weights = (calm / "models/train/model.weights.h5").stat().st_size
    said = "train: No space left on device"
    with disk(full / ".mien"), disk(full / "models"):
        # Room for the first checkpoint (weights, two moments of each, their average) alone.
        filler = fill(full / ".mien", 6 * weights)
        assert the_line(repro(full, "train"), "train").startswith(said)
        assert len(list(full.glob(".mien/train/*/model/*.npz"))) > 0
        filler.unlink()
        # Room for a part of the model.
        filler = fill(full / "models", weights // 2)
        done = repro(full, "train")
        assert the_line(done, "train").startswith(said)
        assert "epoch 1/2" not in done.stderr
        assert "epoch 2/2" in done.stderr
        filler.unlink()
        done = repro(full, "train")
        assert done.returncode == 0, done.stderr
        assert "epoch 2/2" not in done.stderr
    assert (full / "dvc.lock").read_bytes() == (calm / "dvc.lock").read_bytes()


def test_a_folder_that_cannot_be_written_to_is_one_line(tmp_path):
    lay(tmp_path)
    with disk(tmp_path / "data/pictures"):
        mount("-o", "remount,ro", tmp_path / "data/pictures")
        line = the_line(repro(tmp_path, "augment"), "augment")
    assert line.startswith("augment: Read-only file system: data/pictures/augment (")
    assert "run `dvc repro` again" in line


def test_a_project_that_cannot_be_written_to_is_one_line(tmp_path, monkeypatch, capsys):
    with disk(tmp_path):
        lay(tmp_path)
        before = sorted(tmp_path.rglob("*"))
        mount("-o", "remount,ro", tmp_path)
        done = repro(tmp_path, "augment")
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        assert "Read-only file system" in line
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit):
            cli.main(["doctor"])
        assert "WRONG folders   .: Read-only file system" in capsys.readouterr().out
        assert sorted(tmp_path.rglob("*")) == before
