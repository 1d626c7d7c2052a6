"""The pipeline's state as one HTML file that opens offline."""

import base64
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mien.report import markdown
from mien.report.changes import Changes
from mien.report.states import State

# Total bytes, so that the page stays below 5 MB: base64 adds a third.
LARGEST = 3_500_000
CHARTS = ("confusion", "roc", "pr", "reliability", "learning_curves")
ENSEMBLE = ("members", "disagreement")
STUDY = ("trials", "trial_params", "importances")
# Without the mean faces of the classes: the page shows no face.
AUDIT = ("classes", "findings", "sharpness")


def page(state: State, changes: Changes | None) -> str:
    """Return the HTML: scores, changes, classes, charts, audit and tuning.

    Args:
        state: the state to show.
        changes: changes from a revision to this state; None omits the section.
    """
    environment = Environment(
        loader=PackageLoader("mien.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for tool in (markdown.interval, markdown.arrow):
        environment.globals[tool.__name__] = tool
    pictures, left_out = embedded(state)
    board = state.table("reports/evaluate/leaderboard.csv").astype(object)
    audit = state.json("metrics/audit.json")
    return environment.get_template("page.html").render(
        state=state,
        changes=changes,
        board=board.where(board.notna(), None).to_dict("records"),
        champion=state.models.get(state.champion or ""),
        pictures=pictures,
        left_out=left_out,
        charts=charts(state),
        audit=audit,
        findings=[(name, found(audit, name)) for name in audit.get("dropped_by", ())],
        tuning=[*studies(state)],
    )


def embedded(state: State) -> tuple[dict[str, str], list[str]]:
    """Return data URLs of the charts up to LARGEST bytes, and the paths of the others."""
    pictures, left_out, total = {}, [], 0
    for path in [path for group in charts(state).values() for path in group]:
        content = state.files[path]
        total += len(content)
        if total > LARGEST:
            left_out.append(path)
        else:
            pictures[path] = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    return pictures, left_out


def charts(state: State) -> dict[str, list[str]]:
    """Return the paths of the charts by section or model, the most important first."""
    first = [name for name in (state.champion, "train") if name in state.models]
    models = dict.fromkeys([*first, *state.models])
    groups = {"models": [f"reports/evaluate/{name}.png" for name in ("leaderboard", "robustness")]}
    groups |= {
        f"model {name}": [f"reports/evaluate/{name}/{chart}.png" for chart in CHARTS]
        for name in first
    }
    groups["audit"] = [f"reports/audit/{chart}.png" for chart in AUDIT]
    groups["ensemble"] = [f"reports/evaluate/ensemble/{chart}.png" for chart in ENSEMBLE]
    groups["tuning"] = [
        f"reports/evaluate/{name}/{chart}.png" for name in models for chart in STUDY
    ]
    groups |= {
        f"model {name}": [f"reports/evaluate/{name}/{chart}.png" for chart in CHARTS]
        for name in models
        if name not in first
    }
    return {
        group: [path for path in paths if path in state.files] for group, paths in groups.items()
    }


def matching(state: State, pattern: str) -> list[str]:
    """Return the paths in the state that match a pattern."""
    return [path for path in state.files if PurePosixPath(path).match(pattern)]


def found(audit: dict[str, Any], name: str) -> tuple[int, int]:
    """Return how many images have a finding, and how many were dropped for it."""
    count = audit[name]["images"] if isinstance(audit[name], dict) else audit[name]
    return count, audit["dropped_by"][name]


def studies(state: State) -> Iterator[dict[str, Any]]:
    """Yield each study's architecture, counts and scores on validation."""
    for path in matching(state, "metrics/tune/*.json"):
        content = state.json(path)
        yield {"arch": content["arch"], **content["tuning"]}
