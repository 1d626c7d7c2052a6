"""The files of the pipeline's state, in the workspace or in a revision."""

import io
import json
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from dvc.utils.serialize import parse_yaml

from mien.errors import RevisionError
from mien.project import ModelId

PARTS = ("dvc.lock", "metrics", "params.yaml", "reports")


@dataclass(frozen=True)
class State:
    """The files in Git of one state: `files` has the bytes of each path, `title` is shown."""

    title: str
    files: Mapping[str, bytes]

    def json(self, path: str) -> dict[str, Any]:
        """Return the content of a JSON file, empty if there is no such file."""
        content: dict[str, Any] = json.loads(self.files.get(path, b"{}"))
        return content

    def yaml(self, path: str) -> dict[str, Any]:
        """Return the content of a YAML file, empty if there is no such file."""
        # DVC's own reader: PyYAML would read 1e-5 as a string.
        content: dict[str, Any] = parse_yaml(self.files.get(path, b"{}").decode(), path)
        return content

    def table(self, path: str) -> pd.DataFrame:
        """Return the rows of a CSV file, none if there is no such file."""
        # A class may be called NA or null.
        found = io.BytesIO(self.files.get(path, b"model\n"))
        return pd.read_csv(found, keep_default_na=False, na_values=[""])

    @cached_property
    def models(self) -> dict[str, dict[str, Any]]:
        """Each model's scores on test, with those on validation as `validation`."""
        tested = self.json("metrics/evaluate.json").get("models", {})
        return {
            name: score | {"validation": self.json(ModelId.parse(name).metrics_file.as_posix())}
            for name, score in tested.items()
        }

    @property
    def champion(self) -> str | None:
        """The name of the model chosen on validation."""
        return self.json("metrics/evaluate.json").get("champion")


def workspace() -> State:
    """Return the state of the working folder, which must be the project's root.

    Raises:
        RevisionError: it is not the root of a project.
    """
    if not Path("dvc.yaml").is_file():
        raise RevisionError("there is no dvc.yaml here; run this in the project's root")
    paths = [path for part in PARTS for path in (Path(part), *Path(part).rglob("*"))]
    files = {path.as_posix(): path.read_bytes() for path in paths if path.is_file()}
    return State("workspace", dict(sorted(files.items())))


def revision(name: str) -> State:
    """Return the state in a commit, branch or tag; the remote's branch if there is no local one.

    Raises:
        RevisionError: there is no such revision, or this is not a repository.
    """
    for candidate in (name, f"origin/{name}"):
        found = _git("rev-parse", "--verify", "--quiet", f"{candidate}^{{commit}}")
        if not found.returncode:
            break
    else:
        raise RevisionError(_missing(name))
    commit = found.stdout.decode().strip()
    parts = _git("ls-tree", "--name-only", commit, "--", *PARTS).stdout.decode().split()
    packed = _git("archive", "--format=tar", commit, "--", *parts).stdout if parts else b""
    files = {}
    if packed:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            for member in archive:
                if content := archive.extractfile(member):
                    files[member.name] = content.read()
    title = commit[:7] if commit.startswith(name) else f"{candidate} ({commit[:7]})"
    return State(title, dict(sorted(files.items())))


def commit() -> str | None:
    """Return the working folder's commit with its date, and whether files differ; None if none."""
    try:
        found = _git("log", "-1", "--format=%h of %cs")
    except OSError:
        return None
    if found.returncode:
        return None
    changed = " and later changes" if _git("status", "--porcelain").stdout else ""
    return found.stdout.decode().strip() + changed


def _missing(name: str) -> str:
    """Return a message about a revision that does not exist."""
    shallow = _git("rev-parse", "--is-shallow-repository")
    if shallow.returncode:
        return "this folder is no Git repository; a comparison needs one"
    if shallow.stdout.strip() == b"true":
        branch = name.removeprefix("origin/")
        fetched = f"git fetch --depth=1 origin {branch}:refs/remotes/origin/{branch}"
        deeper = "git fetch --unshallow" if any(mark in name for mark in "^~@") else fetched
        return f"this shallow clone does not hold {name}; run `{deeper}`"
    return f"Git knows no revision {name}; `git branch --all` and `git tag` list them"


def _git(*command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *command], capture_output=True, check=False)
