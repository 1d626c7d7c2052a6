"""The pipeline is killed at random moments, each time begun again, and ends as if it never was.

`make faults` kills it twenty times, in every stage; without MIEN_FAULTS=long it is killed twice on
its way to a trained and a tuned model.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import pytest
import small_clone
from mlflow import MlflowClient

from mien import doctor
from mien.errors import MienError

LONG = os.environ.get("MIEN_FAULTS") == "long"
KILLS, TARGETS = (20, ()) if LONG else (2, ("train", "tune@two_conv"))
SEED = 7
TRIAL = re.compile(r"^trial (\d+)/\d+: \w+", re.M)


class Repro:
    """A `dvc repro` in a process group of its own, with what it prints."""

    def __init__(self, folder: Path, log: Path) -> None:
        self._log = log
        with log.open("w") as file:
            self.process = subprocess.Popen(
                (sys.executable, "-m", "dvc", "repro", *TARGETS),
                cwd=folder,
                env=small_clone.environment() | {"PYTHONUNBUFFERED": "1"},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def printed(self) -> str:
        return self._log.read_text()

    def stages(self) -> list[str]:
        """Return the stages that were run so far, the last one perhaps still running."""
        return re.findall(r"^Running stage '(.+)':", self.printed, re.M)

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def started(folder: Path, log: Path) -> Iterator[Repro]:
    try:
        with chdir(folder):
            doctor._lock()
    except MienError as error:
        # DVC rewrites it in place, so that a kill can cut it off; this is the documented remedy.
        print(error)
        (folder / "dvc.lock").unlink()
    repro = Repro(folder, log)
    try:
        yield repro
    finally:
        repro.kill()


def undisturbed(folder: Path, log: Path) -> dict[str, float]:
    """Run the pipeline; return how many seconds each stage took, in their order."""
    began: dict[str, float] = {}
    with started(folder, log) as repro:
        while repro.process.poll() is None:
            for stage in repro.stages():
                began.setdefault(stage, time.monotonic())
            time.sleep(0.02)
        assert repro.process.returncode == 0, repro.printed
    ends = [*list(began.values())[1:], time.monotonic()]
    return {stage: end - began[stage] for stage, end in zip(began, ends, strict=True)}


def moments(seconds: dict[str, float]) -> list[tuple[str, float]]:
    """Return the stages to be killed in, in their order, and after how many seconds of each.

    Every stage is among them if there are as many kills. The last one is killed once, and early:
    nothing comes after it that a late kill would hit.
    """
    rng = np.random.default_rng(SEED)
    stages = list(seconds)
    each = stages if len(stages) <= KILLS else []
    more = rng.choice(stages[:-1], KILLS - len(each)).tolist()
    shares = [*rng.uniform(0, 0.7, len(each)), *rng.uniform(0, 1, len(more))]
    drawn = zip([*each, *more], shares, strict=True)
    return sorted(
        ((stage, seconds[stage] * share) for stage, share in drawn),
        key=lambda moment: (stages.index(moment[0]), moment[1]),
    )


def killed(
    folder: Path, log: Path, stage: str, seconds: float, later: list[str]
) -> tuple[str, str]:
    """Run the pipeline and kill it with all its processes; return in which stage, and its output.

    The moment comes `seconds` after the stage began, or when one of the `later` ones has begun.
    """
    began = None
    with started(folder, log) as repro:
        while began is None or time.monotonic() - began < seconds:
            assert repro.process.poll() is None, f"ended unkilled:\n{repro.printed}"
            stages = repro.stages()
            if began is None and stage in stages:
                began = time.monotonic()
            if set(later) & set(stages):
                break
            time.sleep(0.02)
        repro.kill()
        return repro.stages()[-1], repro.printed


def shown(folder: Path) -> list[dict[str, Any]]:
    """Return all that MLflow shows of each run but ids and times."""
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    found = list(client.search_runs(["1"], max_results=1000))
    names = {run.info.run_id: run.info.run_name for run in found}
    told = []
    for run in found:
        tags, metrics = run.data.tags, run.data.metrics
        artifacts = Path(urlparse(run.info.artifact_uri).path)
        told.append(
            {
                "name": run.info.run_name,
                "stage": tags["mien.stage"],
                "status": run.info.status,
                "key": tags.get("mien.key"),
                "parent": names.get(tags.get("mlflow.parentRunId", "")),
                "params": run.data.params,
                # What differs from one training to the next.
                "metrics": {
                    name: name.startswith(("cost/training_", "system/")) or value
                    for name, value in metrics.items()
                },
                "epochs": [
                    (each.step, each.value)
                    for each in client.get_metric_history(run.info.run_id, "epoch/val_loss")
                ],
                "artifacts": sorted(
                    path.relative_to(artifacts).as_posix()
                    for path in artifacts.rglob("*")
                    if path.is_file()
                ),
            }
        )
    return sorted(told, key=lambda run: (run["stage"], run["name"]))


def models(folder: Path) -> Counter[tuple[str, str]]:
    """Return how many logged models MLflow has, by name and status, and versions of `mien`."""
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    logged = client.search_logged_models(["1"])
    versions = client.search_model_versions("name = 'mien'")
    return Counter(
        [(model.name, str(model.status)) for model in logged]
        + [(f"version {version.version}", version.status) for version in versions]
    )


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> tuple[Path, Path, str]:
    """An undisturbed clone, one that was killed, and all that the second printed."""
    made = tmp_path_factory.mktemp("kills")
    source = small_clone.small_zip(made / "faces.zip")
    calm, harmed = made / "calm", made / "harmed"
    for folder in (calm, harmed):
        small_clone.clone(folder, source)
    seconds = undisturbed(calm, made / "calm.log")
    order, printed, hit = list(seconds), [], set()
    for number, (stage, after) in enumerate(moments(seconds)):
        later = order[order.index(stage) + 1 :]
        place, said = killed(harmed, made / f"{number}.log", stage, after, later)
        print(f"kill {number + 1}: {place}, {after:.1f} s after {stage} began")
        printed.append(said)
        hit.add(place)
    assert not LONG or hit == set(order)
    with started(harmed, made / "last.log") as repro:
        assert repro.process.wait(600) == 0, repro.printed
        printed.append(repro.printed)
    return calm, harmed, "\n".join(printed)


def test_it_ends_in_the_same_bytes(pair):
    calm, harmed, _ = pair
    assert (harmed / "dvc.lock").read_bytes() == (calm / "dvc.lock").read_bytes()
    status = small_clone.git(harmed, "status", "--porcelain", "-uall")
    assert status == small_clone.git(calm, "status", "--porcelain", "-uall")
    # Without targets `track` is among them, which runs every time.
    stale = json.loads(small_clone.dvc(harmed, "status", "--json", *TARGETS))
    assert [why for why in stale.values() if why != ["always changed"]] == []


def test_no_run_is_missing_doubled_or_left_running(pair):
    calm, harmed, _ = pair
    assert shown(harmed) == shown(calm)
    assert {run["status"] for run in shown(harmed)} == {"FINISHED"}
    assert models(harmed) == models(calm)


def test_no_finished_trial_is_lost(pair):
    _, _, printed = pair
    finished = TRIAL.findall(printed)
    assert sorted(finished) == sorted(set(finished)), "a finished trial was run again"
    assert len(finished) > 0


def test_no_scrap_is_left(pair):
    _, harmed, _ = pair
    assert not list(harmed.glob(".mien/train/*"))
    assert not list(harmed.glob(".mien/tune/*/final"))
    assert not list(harmed.glob(".mien/tune/*/trial-*"))
