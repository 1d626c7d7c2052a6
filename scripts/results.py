"""Runs the pipeline on real data beside the workspace, and keeps its numbers in results.

`python scripts/results.py NAME SOURCE` takes the params in results/NAME/settings.yaml.
Run again after a kill, it goes on from there. SOURCE's path stays out of what it writes.
With `--ship`, the champion becomes the model NAME that comes with the package, and its model card,
the audit and the charts are kept, too.
"""

import argparse
import csv
import fcntl
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dvc.api
import numpy as np
import pandas as pd
from dvc.utils.serialize import load_yaml, parse_yaml

# Of this checkout, whatever is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from mien import tracking
from mien.project import ModelId, write_json

RESULTS = Path("results")
PAGES = ("README.md", "docs/results.md")
# What is kept of a shipped model besides. No chart in Git shows a face.
SHIPPED = (
    "metrics/audit.json",
    "metrics/ensemble.json",
    "metrics/robustness.json",
    "reports/model_card.md",
)
CHARTS = "reports/evaluate"
SCORES = ("accuracy", "macro_f1", "roc_auc")
BOUNDS = ("", "_low", "_high")
PRETRAINED = Path("src/mien/pretrained")
# From the smallest to the largest: the first that the export kept is shipped.
VERSIONS = ("model_int8", "model_int8_weights", "model")
LARGEST = 4_400_000


def main() -> None:
    """Run the experiment, write its results, remove it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="folder of settings.yaml in results")
    parser.add_argument("source", help="zip, tar, CSV or folder of faces")
    parser.add_argument("--keep", action="store_true", help="leave the experiment to `dvc exp`")
    parser.add_argument("--ship", action="store_true", help="put the champion into the package")
    given = parser.parse_args()
    folder, source = RESULTS / given.name, Path(given.source).resolve()
    settings = folder / "settings.yaml"
    if not given.name or not settings.is_file():
        sys.exit(f"results: expected params in {settings}, such as `train.epochs: 30`; write it")
    if not given.source or not source.exists():
        sys.exit(f"results: SOURCE must be a file or folder of faces, got {given.source!r}")
    # What this and results_page.py write: the next run need not wait for a commit.
    own = [f":!{path}" for path in (RESULTS, PRETRAINED, *PAGES)]
    if changed := git("status", "--porcelain", "--untracked-files=no", "--", ".", *own):
        sys.exit(f"results: commit your changes first, as results name their commit:\n{changed}")
    experiment = f"results-{given.name}"
    Path(".mien").mkdir(exist_ok=True)
    with Path(".mien", f"{experiment}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"results: {given.name} is running already; wait for it, or stop it first")
        forget(experiment)
        params = load_yaml(settings) | {"data.source": str(source)}
        # DVC holds the lock, too: it may outlive a kill of this process.
        run(experiment, params, lock.fileno())
        commit = git("for-each-ref", "--format=%(objectname)", f"refs/exps/*/*/{experiment}")
        write(commit, folder, source)
        if given.ship:
            ship(commit, folder)
        if not given.keep:
            forget(experiment)


def run(experiment: str, params: dict[str, Any], lock: int) -> None:
    """Run the pipeline with these params in a temporary folder, as `experiment`."""
    command = [sys.executable, "-m", "dvc", "exp", "run", "--temp", "--name", experiment]
    for override in overrides(params):
        command += ["--set-param", override]
    with subprocess.Popen(command, pass_fds=[lock]) as process:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            # DVC was interrupted, too, and tidies up.
            code = process.wait()
    if code:
        sys.exit("results: the pipeline ended early; run the same command again to go on")


def overrides(params: dict[str, Any], section: str = "") -> Iterator[str]:
    """Yield KEY=VALUE as DVC takes it for all params, in sections or with dotted names."""
    for key, value in params.items():
        if isinstance(value, dict):
            yield from overrides(value, f"{section}{key}.")
        else:
            yield f"{section}{key}={json.dumps(value, ensure_ascii=False)}"


def forget(experiment: str) -> None:
    """Remove the experiment, and what a kill left of its temporary folders."""
    if git("for-each-ref", f"refs/exps/*/*/{experiment}"):
        subprocess.run([sys.executable, "-m", "dvc", "exp", "remove", "-q", experiment], check=True)
    for file in list(Path(".dvc/tmp/exps").rglob("*.run")):
        info = json.loads(file.read_text())
        if info["name"] == experiment:
            shutil.rmtree(info["root_dir"], ignore_errors=True)
            shutil.rmtree(file.parent)


def write(commit: str, folder: Path, source: Path) -> None:
    """Write scores, probabilities and provenance of the experiment's `commit` into `folder`."""
    rows = list(table(commit))
    with (folder / "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    write_json(folder / "provenance.json", provenance(commit, source))
    names = [row["model"] for row in rows]
    np.savez_compressed(folder / "probabilities.npz", **probabilities(commit, names))


def probabilities(commit: str, names: list[str]) -> dict[str, Any]:
    """Return what the models say and what is right, by which every score can be computed again.

    Returns:
        `classes`, text, shape (C,); for SPLIT validation and test `SPLIT`, uint8 codes of the
        classes, shape (N,), and for each model `NAME_SPLIT`, float16, shape (N, C).
    """
    found = {}
    for split in ("validation", "test"):
        index = pd.read_parquet(cached(commit, f"data/faces/{split}/index.parquet"))
        found["classes"] = np.array(index["label"].cat.categories, dtype=str)
        found[split] = index["label"].cat.codes.to_numpy(np.uint8)
    for name in names:
        said = {
            "validation": (ModelId.parse(name).model_folder / "validation.npy").as_posix(),
            "test": f"data/predictions/{name}.npy",
        }
        for split, path in said.items():
            found[f"{name}_{split}"] = np.load(cached(commit, path)).astype(np.float16)
    return found


def cached(commit: str, path: str) -> io.BytesIO:
    """Return the content of a file that DVC keeps."""
    return io.BytesIO(dvc.api.read(path, rev=commit, mode="rb"))


def training_seconds(commit: str, name: str) -> float | None:
    """Return how long the epochs of a model took, if its training was logged in MLflow."""
    if name == "ensemble":
        return None
    path = ModelId.parse(name).model_folder / "record.json"
    record = dvc.api.read(path.as_posix(), rev=commit)
    return tracking.training_seconds([json.loads(record)], Path.cwd())[0]


def ship(commit: str, folder: Path) -> None:
    """Put the champion's smallest exported version into the package, under the folder's name."""
    name = folder.name
    with tempfile.TemporaryDirectory() as room:
        export = Path(room, "export")
        command = [sys.executable, "-m", "dvc", "get", "-q", ".", "models/export"]
        subprocess.run([*command, "--rev", commit, "--out", str(export)], check=True)
        files = [export / f"{version}.onnx" for version in VERSIONS]
        kept = [file for file in files if file.is_file() and file.stat().st_size < LARGEST]
        if not kept:
            sys.exit(
                f"results: no version of the champion is below {LARGEST:,} bytes, {name} stays"
            )
        PRETRAINED.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(kept[0], PRETRAINED / f"{name}.onnx")
        card = json.loads((export / "card.json").read_text())
    ship_start(commit, name, card["members"])
    made = json.loads((folder / "provenance.json").read_text())
    card |= {"version": kept[0].stem, "commit": made["commit"], "source": made["source"]}
    write_json(PRETRAINED / f"{name}.json", card)
    keep_reports(commit, folder)


def ship_start(commit: str, name: str, members: dict[str, Any]) -> None:
    """Write the champion's largest network for `model.weights: NAME`, if it is small enough."""
    from mien.models.weights import write_start

    largest = max(members, key=lambda member: members[member]["parameters"])
    with tempfile.TemporaryDirectory() as room:
        model, start = Path(room, "model"), Path(room, "start")
        trained = ModelId.parse(largest).model_folder.as_posix()
        command = [sys.executable, "-m", "dvc", "get", "-q", ".", trained]
        subprocess.run([*command, "--rev", commit, "--out", str(model)], check=True)
        write_start(model, name, start)
        shutil.rmtree(PRETRAINED / name, ignore_errors=True)
        if sum(file.stat().st_size for file in start.iterdir()) < LARGEST:
            shutil.copytree(start, PRETRAINED / name)
        else:
            print(f"results: {name}'s weights are too large to be shipped", file=sys.stderr)


def keep_reports(commit: str, folder: Path) -> None:
    """Write the model card, the audit and the charts of the experiment's `commit`."""
    for path in map(Path, SHIPPED):
        (folder / path.name).write_bytes(shown(commit, path.as_posix()))
    charts = folder / "evaluate"
    shutil.rmtree(charts, ignore_errors=True)
    for path in map(Path, git("ls-tree", "-r", "--name-only", commit, CHARTS).splitlines()):
        if path.suffix == ".png":
            target = charts / path.relative_to(CHARTS)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(shown(commit, path.as_posix()))


def table(commit: str) -> Iterator[dict[str, Any]]:
    """Yield a row for each model, the best on validation first."""
    evaluation = metric(commit, "metrics/evaluate.json")
    validation = {
        name: metric(commit, ModelId.parse(name).metrics_file.as_posix())
        for name in evaluation["models"]
    }
    cost, ensemble = ("parameters", "multiply_adds"), validation["ensemble"]
    for key in cost:
        ensemble[key] = sum(validation[member][key] for member in ensemble["members"])
    for name in sorted(validation, key=lambda name: -validation[name]["macro_f1"]):
        test = evaluation["models"][name]
        row = {"model": name, "arch": test["arch"]}
        for split, score in (("validation", validation[name]), ("test", test)):
            row |= {
                f"{split}_{key}{bound}": score[key + bound] for key in SCORES for bound in BOUNDS
            }
            row[f"{split}_n"] = score["n"]
            unseen = score.get("unseen", score)
            row |= {f"{split}_unseen_accuracy{b}": unseen[f"accuracy{b}"] for b in BOUNDS}
            row[f"{split}_unseen_n"] = unseen["n"]
        row |= {key: validation[name][key] for key in cost}
        row["training_seconds"] = training_seconds(commit, name)
        yield row | {"mcnemar_p": evaluation["compared"].get(name, {}).get("mcnemar_p")}


def provenance(commit: str, source: Path) -> dict[str, Any]:
    """Return what the results came from, without paths and the name of the machine."""
    params = parse_yaml(git("show", f"{commit}:params.yaml"), "params.yaml")
    del params["data"]["source"]
    lock = parse_yaml(git("show", f"{commit}:dvc.lock"), "dvc.lock")
    (data,) = [dep for dep in lock["stages"]["ingest"]["deps"] if dep["path"] == str(source)]
    hashes = {"md5": data["md5"], "bytes": data["size"]}
    if source.is_file():
        with source.open("rb") as file:
            hashes["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": git("rev-parse", f"{commit}^"),
        "source": hashes,
        "params": params,
        "machine": {"processor": processor(), "cores": os.cpu_count()},
        "python": platform.python_version(),
    }


def processor() -> str:
    """Return the processor's name, or where the system does not tell it, its kind."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def git(*command: str) -> str:
    """Return what Git prints, without the last line's end."""
    done = subprocess.run(["git", *command], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.rstrip("\n")


def shown(commit: str, path: str) -> bytes:
    """Return the bytes of the file in the commit."""
    return subprocess.run(
        ["git", "show", f"{commit}:{path}"], check=True, stdout=subprocess.PIPE
    ).stdout


def metric(commit: str, path: str) -> dict[str, Any]:
    """Return the content of the JSON file in the commit."""
    content: dict[str, Any] = json.loads(shown(commit, path))
    return content


if __name__ == "__main__":
    main()
