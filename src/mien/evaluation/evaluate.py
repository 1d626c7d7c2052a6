"""The evaluation: every model's scores on test, the champion, the tables behind the charts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mien import metrics
from mien.ensembling.combination import combine
from mien.evaluation import champion, groups, predictions, robustness, tables
from mien.evaluation.leaderboard import leaderboard
from mien.faces import Faces
from mien.params import Evaluate
from mien.project import ModelId

# Number of faces shown with attention maps, and shown corrupted.
ATTENDED, CORRUPTED = 12, 8
ENSEMBLE = ModelId("ensemble")


@dataclass(frozen=True)
class Models:
    """The models to evaluate, by name.

    Attributes:
        ids: identities of the trained models, without the ensemble.
        records: content of each record.json, including the ensemble's.
        histories: rows of each history.csv.
        validation: scores on validation, including the ensemble's.
    """

    ids: Mapping[str, ModelId]
    records: Mapping[str, Mapping[str, Any]]
    histories: Mapping[str, pd.DataFrame]
    validation: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Evaluation:
    """All measurements on the test split.

    Attributes:
        labels: label of each model in charts, by name.
        probabilities: probabilities of each model, float32, shape (N, C).
        scores: scores of each model, see `metrics.score_faces`, with its `arch`.
        champion: name of the best model on validation.
        compared: differences of the others from it, see `metrics.paired`.
        summary: see `champion.summary`.
        tables: tables of all models, by name: `confusion`, `per_class`, `pr`, `reliability`, `roc`,
            `learning_curves`, `leaderboard` and `robustness`.
        robustness: of the champion.
        groups: scores by group of persons, see `groups.measure`.
        shown: rows of the images whose attention was kept.
        attention: maps of each model by stage, see `models.attention.maps`.
    """

    labels: dict[str, str]
    probabilities: dict[str, np.ndarray]
    scores: dict[str, Any]
    champion: str
    compared: dict[str, Any]
    summary: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    robustness: robustness.Robustness
    groups: dict[str, dict[str, Any]]
    shown: np.ndarray
    attention: dict[str, dict[str, np.ndarray]]

    def metrics(self) -> dict[str, Any]:
        """Return the content of metrics/evaluate.json."""
        return {"models": self.scores, "champion": self.champion, "compared": self.compared}


def evaluate(models: Models, test: Faces, how: Evaluate, seed: int) -> Evaluation:
    """Return the scores of the trained models and of their ensemble.

    Args:
        models: see `Models`.
        test: the test split.
        how: section `evaluate` of params.yaml.
        seed: seed of the bootstrap and of the corruptions.

    Raises:
        MienError: a model was trained on faces unlike those of `test`.
        ParamError: all models exceed `evaluate.multiply_adds`.
    """
    predictions.check(models.records, test)
    rows = in_turn(test)
    folders = {name: model.model_folder for name, model in models.ids.items()}
    found = predictions.predict_all(folders, models.records, test, how.tta, rows[:ATTENDED])
    combination = models.records["ensemble"]["combination"]
    together = combine(combination, found.probabilities).astype(np.float32)
    probabilities = {**found.probabilities, "ensemble": together}
    archs = {name: models.records[name]["spec"]["arch"] for name in probabilities}
    scores = {
        name: {"arch": archs[name], **metrics.score_faces(test, predicted, seed)}
        for name, predicted in probabilities.items()
    }
    members = [found.costs[name] for name in combination["members"]]
    parameters, multiply_adds = (sum(costs) for costs in zip(*members, strict=True))
    costs = found.costs | {"ensemble": (parameters, multiply_adds)}
    work = {name: cost[1] for name, cost in costs.items()}
    best = champion.best(champion.affordable(work, how.multiply_adds), models.validation)
    compared = champion.compared(best, probabilities, test, seed)
    predict = predictions.predictor(best, combination, folders, how.tta)
    measured = robustness.measure(predict, test, rows[:CORRUPTED], seed)
    labels = {name: model.label(archs[name]) for name, model in models.ids.items()}
    return Evaluation(
        labels | {"ensemble": ENSEMBLE.label(combination["method"])},
        probabilities,
        scores,
        best,
        compared,
        champion.summary(best, scores, models.validation),
        {
            **model_tables(test, probabilities, scores),
            "learning_curves": _together(models.histories),
            "leaderboard": leaderboard(scores, models.validation, compared, costs),
            "robustness": measured.table,
        },
        measured,
        groups.measure(test, probabilities, seed),
        rows[:ATTENDED],
        found.attention,
    )


def in_turn(faces: Faces) -> np.ndarray:
    """Return the rows of the faces, alternating between the classes."""
    turn = faces.index.groupby("label", observed=True).cumcount().to_numpy()
    return np.lexsort((faces.labels, turn))


def model_tables(
    test: Faces, probabilities: Mapping[str, np.ndarray], scores: Mapping[str, Any]
) -> dict[str, pd.DataFrame]:
    """Return the tables behind the charts of the models, with a column `model`."""
    parts: dict[str, dict[str, pd.DataFrame]] = {}
    for name, predicted in probabilities.items():
        own = {
            "confusion": tables.confusion_table(scores[name]),
            "per_class": tables.per_class_table(scores[name]),
            "pr": tables.pr_table(test.labels, predicted, test.classes),
            "reliability": metrics.reliability(test.labels, predicted),
            "roc": tables.roc_table(test.labels, predicted, test.classes),
        }
        for table, rows in own.items():
            parts.setdefault(table, {})[name] = rows
    # All models in one file: `plots` in dvc.yaml cannot name files by tune.archs.
    return {table: _together(by_model) for table, by_model in parts.items()}


def _together(parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, names=["model"]).reset_index("model").round(6)
