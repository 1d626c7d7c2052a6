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
    initdb, control = _program("initdb"), _program("pg_ctl")
    # The server refuses to run as root.
    owner = {"user": "postgres"} if os.getuid() == 0 else {}
    if owner and "postgres" not in (entry.pw_name for entry in pwd.getpwall()):
        pytest.skip("PostgreSQL refuses root, and there is no user postgres")
    # Not pytest's folder: only root may look into that.
    folder = Path(tempfile.mkdtemp(prefix="mien-postgres-"))
    if owner:
        shutil.chown(folder, "postgres")
    run = {"check": True, "stdout": subprocess.DEVNULL, "timeout": 120, "cwd": folder, **owner}
    data, log = folder / "data", folder / "log"
    subprocess.run([initdb, "-D", data, "-U", "mien", "-A", "trust", "--no-sync"], **run)
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    subprocess.run([control, "-D", data, "-l", log, "-o", options, "-w", "start"], **run)
    try:
        yield f"postgresql://mien@/postgres?host={folder}"
    finally:
        subprocess.run([control, "-D", data, "-m", "immediate", "-w", "stop"], **run)
        shutil.rmtree(folder, ignore_errors=True)
