"""The checks of `mien doctor`; the result of each is one line."""

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from itertools import chain
from pathlib import Path

import psutil
from dvc.repo import Repo
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.utils.serialize import ParseError, load_yaml
from dvc_data.hashfile.hash import hash_file
from packaging.requirements import Requirement
from voluptuous import Invalid

from mien import params, tracking
from mien.errors import INSTALL, MienError

# Printed even if nothing is wrong, because bug reports need them.
TOLD = ("mien", "dvc", "mlflow", "tensorflow", "keras", "optuna")
FOLDERS = (".", ".dvc/tmp", ".dvc/cache", ".mien", "data", "metrics", "models", "reports")
# A training and its copy in the cache need a few hundred megabytes.
LEAST_GB = 1.0
# Other files in the cache are partial copies left by a kill.
OBJECT = re.compile(r"[0-9a-f]{32}(\.dir)?")


def examine(repair: bool = False) -> Iterator[tuple[str, bool, str]]:
    """Yield the name of each check, whether all is well, and the evidence, for this folder.

    Objects of DVC's cache that do not match their hash are removed, and runs in MLflow whose
    process is gone are closed; nothing else is changed.

    Args:
        repair: whether MLflow's paths of a project that was moved or copied are set right, too.
    """
    checks: dict[str, Callable[[], str]] = {
        "versions": _versions,
        "params": _params,
        "folders": _folders,
        "space": _space,
        "dvc.lock": _lock,
        "locks": _locks,
        "cache": _cache,
        "MLflow": lambda: tracking.examined(Path.cwd(), repair),
    }
    for name, check in checks.items():
        try:
            yield name, True, check()
        except (MienError, OSError) as error:
            yield name, False, str(error)


def _versions() -> str:
    for text in requires("mien") or ():
        needed = Requirement(text)
        if needed.marker and not needed.marker.evaluate({"extra": "pipeline"}):
            continue
        try:
            found = version(needed.name)
        except PackageNotFoundError:
            found = "nothing"
        if found == "nothing" or not needed.specifier.contains(found, prereleases=True):
            raise MienError(
                f"expected {needed.name}{needed.specifier}, got {found}; "
                f"{INSTALL.format('pipeline')}"
            )
    return ", ".join(f"{name} {version(name)}" for name in TOLD)


def _params() -> str:
    found = params.load()
    params.require_source(found)
    return f"valid; {found.model.arch} is trained, {', '.join(found.tune.archs) or 'nothing'} tuned"


def _folders() -> str:
    found = [folder for folder in FOLDERS if Path(folder).is_dir()]
    for folder in found:
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise MienError(
                f"{folder}: {error.strerror}; give yourself write permission"
            ) from error
    return f"{len(found)} can be written to"


def _space() -> str:
    free = shutil.disk_usage(".").free / 1e9
    if free < LEAST_GB:
        raise MienError(
            f"{free:.2f} GB are free, expected {LEAST_GB:g}; free some, for example by `dvc gc -w`"
        )
    return f"{free:.1f} GB are free"


def _lock() -> str:
    try:
        found = load_yaml("dvc.lock") if Path("dvc.lock").exists() else None
        # A file that is cut off, or empty, may still be YAML.
        stages = {} if found is None else COMPILED_LOCKFILE_SCHEMA(found)["stages"]
    except (ParseError, Invalid) as error:
        raise MienError(
            "dvc.lock is cut off; run `git checkout dvc.lock` or delete it, then `dvc repro`: what "
            "was run before is restored from the cache"
        ) from error
    return f"has {len(stages)} stages"


def _locks() -> str:
    """Return which DVC processes run; DVC itself removes locks without a process."""
    place = Path(".dvc/tmp/rwlock")
    try:
        held = json.loads(place.read_text()) if place.exists() else {}
    except ValueError as error:
        raise MienError(f"{place} is cut off; if no DVC runs here, delete it") from error
    owners = [*held.get("write", {}).values(), *chain(*held.get("read", {}).values())]
    running = set()
    for pid, command in {(owner["pid"], owner["cmd"]) for owner in owners}:
        with suppress(psutil.NoSuchProcess):
            if not any("dvc" in part for part in psutil.Process(pid).cmdline()):
                raise MienError(
                    f"{place} waits for process {pid}, which is no longer DVC; delete {place}"
                )
            running.add(f"`dvc {command.partition(' ')[2]}` (process {pid})")
    return f"{', '.join(sorted(running)) or 'nobody'} works here"


def _cache() -> str:
    """Hash every object again, and remove those that do not match their names."""
    bad, count, size = [], 0, 0
    with Repo(".") as repo:
        objects = repo.cache.local
        names = _names(Path(objects.path))
        for oid in filter(OBJECT.fullmatch, objects.all()):
            # Without DVC's cached hashes: a faulty disk does not change a file's modification time.
            meta, found = hash_file(objects.oid_to_path(oid), objects.fs, objects.hash_name)
            count, size = count + 1, size + (meta.size or 0)
            if found.value != oid.removesuffix(".dir"):
                objects.delete(oid)
                bad.append(names.get(oid, oid))
        if bad:
            # Bad objects may have been checked out: everything must be hashed again.
            repo.state.hashes.clear()
            raise MienError(
                f"{len(bad):,} of {count:,} objects were damaged and are removed: "
                f"{', '.join(sorted(bad))}; run `dvc repro`, or `dvc pull` first"
            )
    return f"{count:,} objects, {size / 1e6:,.1f} MB, all match their hashes"


def _names(cache: Path) -> dict[str, str]:
    """Return the path in the workspace of each object of the current state."""
    names = {}
    # A damaged lock file or listing gives no names.
    with suppress(ParseError, ValueError, LookupError):
        stages = load_yaml("dvc.lock").get("stages", {}) if Path("dvc.lock").exists() else {}
        for out in chain(*(stage.get("outs", ()) for stage in stages.values())):
            names[out["md5"]] = out["path"]
            listing = cache / out["md5"][:2] / out["md5"][2:]
            if listing.suffix == ".dir" and listing.exists():
                for part in json.loads(listing.read_text()):
                    names[part["md5"]] = f"{out['path']}/{part['relpath']}"
    return names
