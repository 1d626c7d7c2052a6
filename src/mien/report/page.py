"""The pipeline's state as one HTML file that opens offline."""

import base64
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined

from mien.report import markdown
from mien.report.changes import Changes
from mien.report.states import State, commit

# Total bytes, so that the page stays below 5 MB: base64 adds a third.
LARGEST = 3_500_000
CHARTS = ("confusion", "roc", "pr", "reliability", "learning_curves")
TOGETHER = ("leaderboard", "cost", "robustness")
ENSEMBLE = ("members", "disagreement")
STUDY = ("trials", "trial_params", "importances")
# Without the mean faces of the classes: the page shows no face.
AUDIT = ("classes", "findings", "sharpness")


def page(state: State, changes: Changes | None) -> str:
    """Return the HTML: origin, scores, costs, changes, classes, charts, audit and tuning.

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
    for tool in (markdown.interval, markdown.arrow, millions):
        environment.globals[tool.__name__] = tool
    pictures, left_out = embedded(state)
    board = state.table("reports/evaluate/leaderboard.csv").astype(object)
    rows = board.where(board.notna(), None).to_dict("records")
    audit, tuned = state.json("metrics/audit.json"), [*studies(state)]
    return environment.get_template("page.html").render(
        state=state,
        changes=changes,
        written=datetime.now(UTC).date(),
        commit=commit(),
        source=source(state.yaml("params.yaml").get("data", {})),
        board=rows,
        champion=state.models.get(state.champion or ""),
        cost=next((row for row in rows if row["model"] == state.champion), {}),
        sizes=sizes(state.json("metrics/export.json")),
        pictures=pictures,
        left_out=left_out,
        charts=charts(state),
        audit=audit,
        findings=[(name, found(audit, name)) for name in audit.get("dropped_by", ())],
        tuning=tuned,
        few=[study for study in tuned if not study["importances"]],
    )


def source(data: Mapping[str, Any]) -> str:
    """Return the name of the data's source, without its folder or the query of its address.

    Args:
        data: section `data` of params.yaml.
    """
    if not data.get("url"):
        return PurePosixPath(data.get("source") or "not named").name
    address = urlsplit(data["url"])
    return f"{address.hostname}/{PurePosixPath(address.path).name}"


def millions(count: int) -> str:
    """Return a count in millions.

    >>> millions(288_812), millions(18_668_032)
    ('0.289 M', '18.7 M')
    """
    return f"{count / 1e6:,.{1 if count >= 1e6 else 3}f} M"


def sizes(exported: Mapping[str, Any]) -> dict[str, int]:
    """Return the bytes of each ONNX file of the champion, by the file's name.

    Args:
        exported: content of metrics/export.json.
    """
    versions = exported.get("versions", {})
    return {f"{name}.onnx": one["bytes"] for name, one in versions.items() if one["kept"]}


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
    groups = {"models": [f"reports/evaluate/{name}.png" for name in TOGETHER]}
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
    """Yield each study's architecture, counts, scores on validation, and if it has importances."""
    for path in matching(state, "metrics/tune/*.json"):
        content = state.json(path)
        chart = f"reports/evaluate/tune_{content['arch']}/importances.png"
        yield {"arch": content["arch"], "importances": chart in state.files, **content["tuning"]}
