"""Find the stages for which dvc.lock is out of date, using only files in Git."""

from pathlib import Path
from typing import Any

from dvc.repo import Repo

from mien.report.states import State


def stale(state: State) -> dict[str, list[str]]:
    """Return what changed since dvc.lock was written, for each stage that must run again.

    Files in Git are compared by content: code, params, commands, metrics and reports. Data and
    models are compared, too, if they are in the workspace. If not, as on a fresh clone, the hashes
    in dvc.lock of what one stage read and another wrote are compared. A stage after a stale one is
    only named if its own inputs differ.

    Args:
        state: state of the working folder.
    """
    # Not `dvc repro --dry --allow-missing`: it stops at the first stale stage without data, and
    # reports a folder of missing outputs (models/tune) as changed.
    lock = state.yaml("dvc.lock").get("stages", {})
    with Repo(".") as repo:
        outs = {out.def_path: out for stage in repo.index.stages for out in stage.outs}
        missing = {path for path, out in outs.items() if not Path(path).exists()}
        kept = {path for path, out in outs.items() if not out.use_cache and not out.persist}
        status = repo.status()
    written = {
        out["path"]: out.get("md5") for entry in lock.values() for out in entry.get("outs", [])
    }
    found: dict[str, list[str]] = {}
    for stage, changes in status.items():
        if stage not in lock:
            found[stage] = ["never run"]
            continue
        read = {dep["path"]: dep.get("md5") for dep in lock[stage].get("deps", [])}
        for change in changes:
            for reason in _reasons(change, read, written, missing, kept):
                found.setdefault(stage, []).append(reason)
    return found


def _reasons(
    change: Any,
    read: dict[str, str],
    written: dict[str, str],
    missing: set[str],
    kept: set[str],
) -> list[str]:
    """Return the reasons in one part of DVC's status: a text, or paths and their states."""
    if isinstance(change, str):
        # `track` asks MLflow each time, and is never stale by that.
        return [] if change == "always changed" else [change]
    reasons = []
    for path, state in change.get("changed deps", {}).items():
        if isinstance(state, dict):
            reasons += [f"param {key} {how}" for key, how in state.items()]
        elif any(_within(out, path) or _within(path, out) for out in missing):
            # Folders of several outputs, and parts of one, have no hash to compare with.
            if read.get(path) != written.get(path, read.get(path)) or path not in read:
                reasons.append(f"{path} modified")
        else:
            reasons.append(f"{path} {state}")
    for path, state in change.get("changed outs", {}).items():
        if path not in missing or path in kept:
            reasons.append(f"{path} {state}")
    return reasons


def _within(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder}/")
