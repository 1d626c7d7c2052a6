"""`make run`: sources of any name reach DVC as they are, and a mistake is one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import run
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]


def read(quoted: str) -> str:
    """Return what DVC makes of a quoted value, by the parser that it uses."""
    return OverridesParser.create().parse_override(f"data.source={quoted}").value()


@pytest.mark.parametrize(
    "name",
    ["archive (1).zip", "it's [new], #2.zip", "~/a=b{c}.zip", "C:\\sets\\a.zip", "a\\\\'b\\"],
)
def test_names_that_people_have_come_back(name):
    assert read(run.quoted(name)) == name


@given(st.text("ab \\'\"(),[]{}=#~$:%é", min_size=1))
def test_any_name_comes_back(name):
    # `${` begins an interpolation, in quotes too.
    if "${" not in name:
        assert read(run.quoted(name)) == name


def make(**variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "scripts/run.py"]
    return subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_source_in_this_folder_is_found_from_another_unless_dvc_tracks_it(tmp_path, monkeypatch):
    """A queued experiment runs in a folder of its own, to which DVC brings what it tracks."""
    given: list[list[str]] = []
    done = subprocess.CompletedProcess([], 0)
    monkeypatch.setattr(subprocess, "run", lambda command, check: given.append(command) or done)
    monkeypatch.chdir(tmp_path)
    for name in ("own.zip", "tracked.zip", "tracked.zip.dvc"):
        Path(name).touch()
    for name in ("own.zip", "tracked.zip"):
        monkeypatch.setenv("SOURCE", name)
        with pytest.raises(SystemExit):
            run.main()
    assert [command[-1] for command in given] == [
        f"data.source='{tmp_path}/own.zip'",
        "data.source='tracked.zip'",
    ]


def test_a_missing_source_and_an_open_quote_are_one_line():
    missing = make(SOURCE="no/such (1).zip")
    assert missing.returncode == 1
    assert missing.stderr.startswith("run: SOURCE: no/such (1).zip does not exist")
    opened = make(SET="train.epochs='3")
    assert opened.returncode == 1
    assert opened.stderr.startswith("run: SET: ")
    assert {missing.stderr.count("\n"), opened.stderr.count("\n")} == {1}
