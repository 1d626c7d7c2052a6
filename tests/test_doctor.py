"""`mien doctor` finds what is wrong; what it removes the next `dvc repro` makes again."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dvc.repo import Repo
from dvc.utils.serialize import dump_yaml
from small_clone import environment

from mien import cli, doctor

# Of DVC's own code.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")

ROOT = Path(__file__).parents[1]
OUT = Path("data/training/images.npy")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A project whose one stage, which copies `faces`, has run."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("images.npy", "index.parquet"):
        (folder / "faces").mkdir(exist_ok=True)
        (folder / "faces" / name).write_text(f"the content of {name}")
    (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (folder / "data/sample").mkdir(parents=True)
    command = "mkdir -p data && cp -R faces data/training"
    stage = {"cmd": command, "deps": ["faces"], "outs": ["data/training"]}
    dump_yaml(folder / "dvc.yaml", {"stages": {"augment": stage}})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Repo.init(no_scm=True).close()
        assert repro() == ["augment"]
    return folder


def repro() -> list[str]:
    """Do what `dvc repro` does, return the stages that were not up to date."""
    with Repo() as repo:
        return [stage.name for stage in repo.reproduce()]


@pytest.fixture
def project(made, tmp_path, monkeypatch) -> Path:
    """A copy of it, the working folder."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True, symlinks=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checks() -> dict[str, tuple[bool, str]]:
    return {name: (good, said) for name, good, said in doctor.examine()}


def damage(project: Path, content: bytes) -> Path:
    """Flip a bit of the object that has the content, as a bad disk does; return it."""
    (found,) = (
        path for path in project.glob(".dvc/cache/files/md5/*/*") if path.read_bytes() == content
    )
    before = found.stat()
    found.chmod(0o644)
    found.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    found.chmod(before.st_mode)
    os.utime(found, ns=(before.st_atime_ns, before.st_mtime_ns))
    return found


def test_a_sound_project_is_found_so(project, capsys):
    cli.main(["doctor"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    assert all(line.startswith("ok    ") for line in lines)
    # Two files and their listing.
    assert "cache     3 objects" in lines[6]


@pytest.mark.parametrize("workspace", ["sound", "missing", "restored", "restored, then pulled"])
def test_a_damaged_object_is_named_removed_and_made_again(project, workspace, capsys):
    content, lock = OUT.read_bytes(), Path("dvc.lock").read_bytes()
    bad = damage(project, content)
    if workspace != "sound":
        shutil.rmtree("data/training")
    if workspace.startswith("restored"):
        with Repo() as repo:
            repo.checkout(["data/training"])
        assert OUT.read_bytes() != content
        assert repro() == [], "DVC trusts what it restored"
    with pytest.raises(SystemExit, match="mien: doctor: 1 of the checks found something wrong"):
        cli.main(["doctor"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("WRONG")]
    assert re.search(rf"cache +1 of 3 objects were damaged and are removed: {OUT};", line)
    assert not bad.exists()
    if workspace == "restored, then pulled":
        bad.write_bytes(content)
    repro()
    assert OUT.read_bytes() == bad.read_bytes() == content
    assert Path("dvc.lock").read_bytes() == lock
    assert all(good for good, _ in checks().values())


def test_a_damaged_listing_is_named_and_removed(project):
    (listing,) = project.glob(".dvc/cache/files/md5/*/*.dir")
    damage(project, listing.read_bytes())
    good, said = checks()["cache"]
    assert not good
    assert "removed: data/training;" in said
    repro()
    assert listing.exists()
    assert checks()["cache"][0]


def test_a_copy_that_a_kill_cut_off_is_no_object(project):
    folder = next(path for path in project.glob(".dvc/cache/files/md5/*") if path.is_dir())
    (folder / ".cut-off.tmp").write_bytes(b"half")
    assert checks()["cache"][0]


@pytest.mark.parametrize(
    ("path", "content", "check", "said"),
    [
        ("dvc.lock", "stages:\n  augment: {", "dvc.lock", "cut off"),
        ("dvc.lock", "", "dvc.lock", "cut off"),
        ("dvc.lock", "stages:\n  augment:\n    deps:\n    - path: data", "dvc.lock", "cut off"),
        (".dvc/tmp/rwlock", '{"write": {', "locks", "cut off"),
        ("params.yaml", "seed: many", "params", "params.yaml"),
    ],
)
def test_a_file_that_was_cut_off_is_named(project, path, content, check, said):
    Path(path).write_text(content)
    wrong = {name: line for name, (good, line) in checks().items() if not good}
    assert list(wrong) == [check]
    assert said in wrong[check]


def test_a_lock_of_a_process_that_is_no_dvc_is_named(project):
    with subprocess.Popen(["sleep", "60"]) as other:
        held = {"write": {"data": {"pid": other.pid, "cmd": "dvc repro"}}, "read": {}}
        Path(".dvc/tmp/rwlock").write_text(json.dumps(held))
        good, said = checks()["locks"]
        other.kill()
    assert not good
    assert f"waits for process {other.pid}" in said
    assert checks()["locks"] == (True, "nobody works here")


def test_no_space_and_a_wrong_version_are_named(project, monkeypatch):
    monkeypatch.setattr(doctor, "LEAST_GB", 1e9)
    monkeypatch.setattr(doctor, "requires", lambda name: ["numpy>=99", "torch; extra == 'other'"])
    found = checks()
    assert re.match(r"[\d.]+ GB are free, expected", found["space"][1])
    assert re.match(r"expected numpy>=99, got [\d.]+; run `pip", found["versions"][1])


def test_elsewhere_it_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"mien: no dvc\.yaml in .*; go to the project's root"):
        cli.main(["doctor"])


def test_a_second_repro_at_once_is_refused_in_a_line_that_names_the_first(project):
    stages = {"stages": {"augment": {"cmd": "echo here; exec sleep 60", "outs": ["data/training"]}}}
    dump_yaml("dvc.yaml", stages)
    command = (sys.executable, "-m", "dvc", "repro")
    log = Path("first.log")
    with log.open("w") as file:
        first = subprocess.Popen(command, env=environment(), stdout=file, start_new_session=True)
    try:
        while "here" not in log.read_text().splitlines():
            assert first.poll() is None
            time.sleep(0.05)
        done = subprocess.run(command, env=environment(), capture_output=True, text=True)
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        assert "is busy, it is being blocked by" in line
        assert f"(PID {first.pid}): " in done.stderr
        assert f"repro` (process {first.pid}) works here" in checks()["locks"][1]
        assert first.poll() is None
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
