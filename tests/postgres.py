"""A real PostgreSQL for tests."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs, which Debian keeps off the path."""
    found = [shutil.which(name), *sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))]
    path = next(filter(None, reversed(found)), None)
    if path is None:
        pytest.skip(f"PostgreSQL's {name} is not installed")
    return str(path)


@contextmanager
def server() -> Iterator[str]:
    """Yield the URL of an empty database on a server of its own; skip where there is none."""
    pytest.importorskip("psycopg")
    initdb = _program("initdb")
    if os.getuid() == 0 and "postgres" not in (entry.pw_name for entry in pwd.getpwall()):
        pytest.skip("PostgreSQL refuses root, and there is no user postgres")
    # Not pytest's folder: only root may look into that.
    folder = Path(tempfile.mkdtemp(prefix="mien-postgres-"))
    if os.getuid() == 0:
        shutil.chown(folder, "postgres")
    _run(folder, initdb, "-D", folder / "data", "-U", "mien", "-A", "trust", "--no-sync")
    _control(folder, "start")
    try:
        yield f"postgresql://mien@/postgres?host={folder}"
    finally:
        _control(folder, "stop")
        shutil.rmtree(folder, ignore_errors=True)


def restart(url: str) -> None:
    """Kill the server at `url` amid whatever it does, and start it again."""
    _control(Path(url.partition("host=")[2]), "restart")


def _control(folder: Path, *arguments: str) -> None:
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    control = (_program("pg_ctl"), "-D", folder / "data", "-l", folder / "log", "-o", options)
    # Only `start` knows no mode.
    mode = () if "start" in arguments else ("-m", "immediate")
    _run(folder, *control, "-w", *mode, *arguments)


def _run(folder: Path, *command: object) -> None:
    # The server refuses to run as root.
    owner = {"user": "postgres"} if os.getuid() == 0 else {}
    subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=120,
        **owner,
    )
