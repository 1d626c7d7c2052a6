"""All charts of models, studies and the ensemble, each with its path under reports/evaluate."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mien.evaluation import (
    cost,
    ensemble,
    groups,
    leaderboard,
    learning,
    model_charts,
    robustness,
    tuning,
)
from mien.evaluation.evaluate import Evaluation
from mien.project import ModelId

# Tables from which the charts of each model are drawn.
OWN = ("learning_curves", "pr", "reliability", "roc")


def model_figures(evaluation: Evaluation) -> Iterator[tuple[str, Figure]]:
    """Yield `MODEL/CHART` and the chart for every model, and the charts of all models."""
    tables = evaluation.tables
    for name, score in evaluation.scores.items():
        title = evaluation.labels[name]
        own = {table: rows[rows["model"] == name] for table, rows in tables.items() if table in OWN}
        yield f"{name}/confusion", model_charts.confusion_chart(score, title)
        yield f"{name}/pr", model_charts.pr_chart(own["pr"], score, title)
        yield (
            f"{name}/reliability",
            model_charts.reliability_chart(own["reliability"], score, title),
        )
        yield f"{name}/roc", model_charts.roc_chart(own["roc"], score, title)
        if len(own["learning_curves"]):
            yield f"{name}/learning_curves", learning.learning_curves(own["learning_curves"], title)
    yield "leaderboard", leaderboard.leaderboard_chart(tables["leaderboard"], evaluation.champion)
    yield "cost", cost.cost_chart(tables["leaderboard"], evaluation.champion)
    label = evaluation.labels[evaluation.champion]
    yield "robustness", robustness.robustness_chart(tables["robustness"], label)
    if evaluation.groups:
        chart = groups.groups_chart(evaluation.groups, evaluation.champion, label)
        yield "groups", chart


def ensemble_figures(
    members: pd.DataFrame, disagreement: pd.DataFrame, scores: Mapping[str, Any]
) -> Iterator[tuple[str, Figure]]:
    """Yield the charts of the ensemble's members.

    Args:
        members: reports/ensemble/members.csv.
        disagreement: reports/ensemble/disagreement.csv.
        scores: content of metrics/ensemble.json.
    """
    yield "ensemble/members", ensemble.members_chart(members, scores)
    if len(disagreement) > 1:
        shares = disagreement.set_index("member")
        yield "ensemble/disagreement", ensemble.disagreement_chart(shares)


def study_figures(
    name: str, trials: pd.DataFrame, importances: pd.DataFrame, metric: str
) -> Iterator[tuple[str, Figure]]:
    """Yield the charts of a study; none of params or importances for which trials are missing.

    Args:
        name: name of the tuned model.
        trials: its trials.csv.
        importances: its importances.csv.
        metric: metric of the study.
    """
    arch = ModelId.parse(name).arch or ""
    yield f"{name}/trials", tuning.history_chart(trials, metric, arch)
    if trials["value"].notna().any():
        yield f"{name}/trial_params", tuning.parallel_chart(trials, metric, arch)
    if len(importances):
        yield f"{name}/importances", tuning.importances_chart(importances, metric, arch)
