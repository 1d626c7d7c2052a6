"""Measure the overhead of the pipeline; print a line of JSON.

    python benchmarks/pipeline.py [noop | clean]

`noop`, in a project whose pipeline is up to date: `dvc repro` and `dvc status`, alternating.
`clean`: `dvc repro` of the built-in sample in a fresh clone of this project's last commit, stage
by stage: processor seconds, and those spent on imports. The rest is DVC: hashing, the cache, its
lock, and starting processes. Without an argument: both.
"""

import argparse
import builtins
import importlib
import json
import os
import resource
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ROUNDS = 9
LOG = "MIEN_STAGE_CLOCK"
# `python` of the stages' commands, while `clean` runs.
SHIM = """#!/bin/sh
exec '{python}' '{clock}' clock "$@"
"""


def used(command: list[str], **options: Any) -> tuple[float, float]:
    """Return the wall and CPU seconds of a command, including its children."""

    def cpu() -> float:
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        return spent.ru_utime + spent.ru_stime

    start, before = time.perf_counter(), cpu()
    subprocess.run(command, check=True, **options)
    return time.perf_counter() - start, cpu() - before


def noop() -> dict[str, Any]:
    """Return the medians of `dvc status` and of a `dvc repro` that finds nothing to do."""
    said = subprocess.run(["dvc", "status"], check=True, capture_output=True, text=True).stdout
    if "up to date" not in said:
        sys.exit(f"the pipeline is not up to date; run `make` first. `dvc status` says:\n{said}")
    taken: dict[str, list[tuple[float, float]]] = {"status": [], "repro": []}
    for _ in range(ROUNDS):
        for name, times in taken.items():
            times.append(used(["dvc", name], stdout=subprocess.DEVNULL))
    wall, cpu = (
        {name: median(each[part] for each in times) for name, times in taken.items()}
        for part in (0, 1)
    )
    return {
        "status_s": round(wall["status"], 2),
        "repro_s": round(wall["repro"], 2),
        "ratio": round(wall["repro"] / wall["status"], 2),
        "status_cpu_s": round(cpu["status"], 2),
        "repro_cpu_s": round(cpu["repro"], 2),
        "ratio_cpu": round(cpu["repro"] / cpu["status"], 2),
    }


def clean() -> dict[str, Any]:
    """Return the cost of the stages in a fresh clone."""
    with tempfile.TemporaryDirectory() as room:
        project, log, shim = Path(room, "project"), Path(room, "log"), Path(room, "bin/python")
        subprocess.run(["git", "clone", "--quiet", ".", str(project)], check=True)
        shim.parent.mkdir()
        shim.write_text(SHIM.format(python=sys.executable, clock=Path(__file__).resolve()))
        shim.chmod(0o755)
        path = f"{shim.parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, LOG: str(log)}
        wall, cpu = used(["dvc", "repro"], cwd=project, env=environment, stdout=sys.stderr)
        stages = [json.loads(line) for line in log.read_text().splitlines()]
        lock = ["git", "diff", "--quiet", "dvc.lock"]
        same = subprocess.run(lock, cwd=project, check=False).returncode == 0
    inside = sum(stage["cpu_s"] for stage in stages)
    imports = sum(stage["imports_cpu_s"] for stage in stages)
    return {
        "wall_s": round(wall, 1),
        "cpu_s": round(cpu, 1),
        "dvc_cpu_s": round(cpu - inside, 1),
        "imports_cpu_s": round(imports, 1),
        "work_cpu_s": round(inside - imports, 1),
        "same_lock": same,
        "stages": stages,
    }


def clock(script: str) -> None:
    """Run a stage's script and append its cost to the log."""
    spent = inner = 0.0

    def counted(load: Callable[..., Any]) -> Callable[..., Any]:
        """Return `load`, timed unless it is called by another import."""

        def counting(*args: Any, **options: Any) -> Any:
            nonlocal spent, inner
            inner += 1
            start = time.process_time()
            try:
                return load(*args, **options)
            finally:
                inner -= 1
                if not inner:
                    spent += time.process_time() - start

        return counting

    builtins.__import__ = counted(builtins.__import__)
    importlib.import_module = counted(importlib.import_module)
    wall = time.perf_counter()
    sys.path[0] = str(Path(script).resolve().parent)
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        own = resource.getrusage(resource.RUSAGE_SELF)
        others = resource.getrusage(resource.RUSAGE_CHILDREN)
        row = {
            "stage": os.environ["DVC_STAGE"],
            "wall_s": round(time.perf_counter() - wall, 2),
            "cpu_s": round(sum(each.ru_utime + each.ru_stime for each in (own, others)), 2),
            "imports_cpu_s": round(spent, 2),
        }
        with Path(os.environ[LOG]).open("a") as log:
            log.write(f"{json.dumps(row)}\n")


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["clock"]:
        del sys.argv[:2]
        clock(sys.argv[0])
        return
    parts = {"noop": noop, "clean": clean}
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", nargs="?", choices=parts, help="both, if left out")
    asked = parser.parse_args().part
    measured = {name: parts[name]() for name in parts if asked in (None, name)}
    print(json.dumps({"cores": os.cpu_count()} | measured))


if __name__ == "__main__":
    main()
