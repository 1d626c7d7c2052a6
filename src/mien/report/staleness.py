"""Which stages dvc.lock tells nothing true about, found with Git's files alone."""

from pathlib import Path
from typing import Any

from dvc.repo import Repo

from mien.report.states import State


def stale(state: State) -> dict[str, list[str]]:
    """Return what changed since dvc.lock was written, for each stage that has to run again.

    What Git holds is compared by content: code, params, commands, metrics and reports. Data and
    models are compared too where they lie in the workspace; where they do not, as on a fresh clone,
    what one stage read is compared in dvc.lock with what another wrote. A stage behind a stale one
    is named only if its own inputs differ.

    Args:
        state: of the working folder.
    """
    # Not `dvc repro --dry --allow-missing`: it ends at the first stale stage without data, and
    # takes a folder of missing outs (models/tune) for a changed one.
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
    """Return what is true of one part of DVC's status: a text, or paths and their states."""
    if isinstance(change, str):
        # `track` asks MLflow each time, and is never stale by that.
        return [] if change == "always changed" else [change]
    reasons = []
    for path, state in change.get("changed deps", {}).items():
        if isinstance(state, dict):
            reasons += [f"param {key} {how}" for key, how in state.items()]
        elif any(_within(out, path) or _within(path, out) for out in missing):
            # Folders of several outs, and parts of one, have no hash of their own to compare with.
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
