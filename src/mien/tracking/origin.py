"""The origin of a run: host, process, user, commit, DVC experiment."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import sys
from contextlib import suppress

import psutil


def host() -> str:
    """Return this host's name."""
    return socket.gethostname()


def process() -> str:
    """Return this process as `PID@START HOST`; the start time distinguishes reused pids."""
    return f"{os.getpid()}@{psutil.Process().create_time():.0f} {host()}"


def dead(process: str) -> bool:
    """Return whether the process `PID@START HOST` ran on this host and has ended."""
    own, _, place = process.partition(" ")
    return place == host() and not _runs(own)


def _runs(process: str) -> bool:
    pid, _, start = process.partition("@")
    try:
        found = psutil.Process(int(pid))
        same = abs(found.create_time() - float(start)) < 2
        return same and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def tags() -> dict[str, str]:
    """Return a run's tags: user, script, commit, `mien.dirty` if it had changes, DVC experiment."""
    found = {"mlflow.source.type": "LOCAL", "mlflow.source.name": sys.argv[0]}
    with suppress(KeyError, OSError):
        found["mlflow.user"] = getpass.getuser()
    # Without Git or a repository these tags are omitted.
    with suppress(OSError, subprocess.CalledProcessError):
        found["mlflow.source.git.commit"] = _git("rev-parse", "HEAD")
        # Files that the pipeline itself writes do not count as changes.
        written = (":!dvc.lock", ":!metrics", ":!reports")
        if _git("status", "--porcelain", "--", ".", *written):
            found["mien.dirty"] = "true"
    if experiment := os.environ.get("DVC_EXP_NAME"):
        found["mien.experiment"] = experiment
    return found


def _git(*arguments: str) -> str:
    done = subprocess.run(("git", *arguments), capture_output=True, text=True, check=True)
    return done.stdout.strip()
