"""The experiments that DVC made from the last commit: what each changed, and its scores."""

import csv
import io
import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dvc.api
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.utils.flatten import flatten
from dvc_data.index import DataIndexError
from rich.console import Console
from rich.table import Table

from mien import tracking
from mien.errors import MienError, TrackingError
from mien.project import read_json

if TYPE_CHECKING:
    from dvc.repo.experiments.serialize import ExpState

WIDEST = 100
SUMMARY, METRICS = "metrics/summary.json", "metrics/train.json"
RECORD = "models/train/record.json"

Row = Mapping[str, Any]


def rows() -> list[Row]:
    """Return the workspace, the last commit, and its experiments, the best on validation first.

    Each has `name`; `state`, empty or that of an experiment without a result (`queued`,
    `running`, `failed`); `changed`, the params that differ from those of the commit; of the model
    of `train` `validation_macro_f1`, `test_macro_f1`, `parameters` and `minutes`, the duration
    of its training as MLflow knows it; and the `champion` with its `champion_validation_macro_f1`.
    What is not known is None.

    Raises:
        MienError: this is no DVC project under Git.
    """
    try:
        with Repo() as repo:
            root = Path(repo.root_dir)
            states = repo.experiments.show()
    except DvcException as error:
        raise MienError(f"experiments: {' '.join(str(error).split())}") from error
    # Without Git or a commit DVC has none.
    if not states:
        raise MienError("experiments: needs a Git repository with a commit; `git commit` makes one")
    workspace, commit = states
    listed = [(workspace, ""), (commit, "")]
    for experiment in commit.experiments or ():
        state = experiment.executor.state if experiment.executor else "success"
        # One that runs in the workspace is there already.
        if experiment.revs[0].rev != "workspace":
            listed.append((experiment.revs[0], "" if state == "success" else state))
    records = [{} if state else _read(root, one.rev, RECORD) for one, state in listed]
    try:
        seconds = tracking.training_seconds(records, root)
    except TrackingError as error:
        print(f"experiments: without minutes, as {error}", file=sys.stderr)
        seconds = [None] * len(records)
    base = _params(commit)
    found = [
        _row(root, one, state, base, duration)
        for (one, state), duration in zip(listed, seconds, strict=True)
    ]
    return [*found[:2], *sorted(found[2:], key=lambda row: -(row["validation_macro_f1"] or 0))]


def _row(root: Path, one: "ExpState", state: str, base: Row, seconds: float | None) -> Row:
    params, scores = _params(one), {}
    # A queued experiment has the files of the commit, and so its scores.
    if one.data and not state:
        scores = flatten(one.data.metrics.get(SUMMARY, {}).get("data", {}))
    changed = {key: value for key, value in params.items() if value != base.get(key)}
    return {
        "name": one.name or one.rev[:9],
        "state": "failed" if one.error else state,
        "changed": changed,
        "validation_macro_f1": scores.get("train.validation_macro_f1"),
        "test_macro_f1": scores.get("train.macro_f1"),
        "parameters": _read(root, one.rev, METRICS).get("parameters") if scores else None,
        "minutes": None if seconds is None else round(seconds / 60, 1),
        "champion": scores.get("champion.model"),
        "champion_validation_macro_f1": scores.get("champion.validation_macro_f1"),
    }


def _params(one: "ExpState") -> dict[str, Any]:
    found = one.data.params.get("params.yaml", {}) if one.data else {}
    return dict(flatten(found.get("data", {})))


def _read(root: Path, rev: str, path: str) -> dict[str, Any]:
    """Return a JSON file of a revision or of the workspace; empty if Git and DVC lack it."""
    try:
        if rev == "workspace":
            return read_json(root / path)
        content: dict[str, Any] = json.loads(dvc.api.read(path, repo=str(root), rev=rev))
    # DVC does not turn a listing that the cache lacks into an error of its own.
    except (OSError, DvcException, DataIndexError):
        return {}
    return content


def shown(found: Sequence[Row], form: str) -> str:
    """Return the rows as `table`, at most 100 columns wide, as `json` or as `csv`."""
    if form == "json":
        return json.dumps(found, indent=1, ensure_ascii=False)
    if form == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, found[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "changed": ", ".join(_changes(row))} for row in found)
        return text.getvalue().rstrip()
    if len(found) == 2:
        return (
            "no experiments from this commit; `dvc exp run -S KEY=VALUE` makes one, `dvc exp list "
            "--all-commits` lists those of older ones"
        )
    table = Table(box=None, pad_edge=False, header_style="", caption_justify="left")
    table.caption = "macro-F1, parameters and minutes: of `train`; champion: with its macro-F1"
    table.add_column("experiment", overflow="fold")
    table.add_column("changed", overflow="fold")
    for head in ("validation", "test", "parameters", "minutes"):
        table.add_column(head, justify="right")
    table.add_column("champion")
    for row in found:
        table.add_row(*_cells(row))
    text = io.StringIO()
    width = min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns)
    Console(file=text, width=width, color_system=None).print(table)
    return "\n".join(map(str.rstrip, text.getvalue().splitlines()))


def _cells(row: Row) -> Iterator[str]:
    yield row["name"]
    yield "\n".join(_changes(row))
    yield row["state"] or _number(row["validation_macro_f1"], ".3f")
    yield _number(row["test_macro_f1"], ".3f")
    yield _number(row["parameters"], ",")
    yield _number(row["minutes"], ".1f")
    yield f"{row['champion'] or ''} {_number(row['champion_validation_macro_f1'], '.3f')}"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _changes(row: Row) -> Iterable[str]:
    for key, value in row["changed"].items():
        yield f"{key}={value if isinstance(value, str) else json.dumps(value)}"
