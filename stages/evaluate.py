"""evaluate: every model's scores on the test split, the champion, charts, the worst mistakes.

The only stage that reads the test split. The champion is chosen on validation.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from entry import MODELS, run, write_json
from mien import faces, metrics, models
from mien.errors import MienError
from mien.params import Params
from mien.plots import evaluation, save
from mien.plots.learning import learning_curves

TEST = Path("data/faces/test")
REPORTS = Path("reports/evaluate")
PREDICTIONS = Path("data/predictions")
PICTURES = Path("data/pictures/evaluate")
BATCH = 256


def main(params: Params) -> None:
    """Score all MODELS; write metrics, reports, pictures and test probabilities."""
    test = faces.load(TEST)
    scores, validation = {}, {}
    PREDICTIONS.mkdir(parents=True, exist_ok=True)
    for name, place in MODELS.items():
        folder = Path("models", place)
        record = json.loads((folder / "record.json").read_text())
        _check(folder, record["spec"], test)
        probabilities = _predict(folder, record, test.images)
        np.save(PREDICTIONS / f"{name}.npy", probabilities)
        arch = record["spec"]["arch"]
        score = metrics.score(test.labels, probabilities, test.classes, params.seed)
        scores[name] = {"arch": arch, **score}
        _report(name, f"{name} ({arch})", test, probabilities, score)
        history = pd.read_csv(Path("reports", place, "history.csv"))
        curves = learning_curves(history, f"Learning curves, {name} ({arch})")
        save(curves, REPORTS / name / "learning_curves.png")
        validation[name] = json.loads(Path("metrics", f"{place}.json").read_text())["macro_f1"]
    champion = max(validation, key=lambda name: validation[name])
    write_json(Path("metrics/evaluate.json"), {"models": scores, "champion": champion})
    few = ("arch", "accuracy", "macro_f1", "roc_auc", "ece")
    summary = {key: scores[champion][key] for key in few}
    write_json(Path("metrics/summary.json"), {"champion": champion, **summary})


def _check(folder: Path, spec: dict[str, Any], test: faces.Faces) -> None:
    """Raise MienError unless the model of `spec` reads the test faces."""
    size = test.images.shape[1]
    if spec["classes"] != list(test.classes) or spec["image_size"] != size or not len(test):
        raise MienError(
            f"{TEST} must hold faces of {', '.join(spec['classes'])} at {spec['image_size']} "
            f"pixels, as {folder} was trained on, got {len(test)} of {', '.join(test.classes)} at "
            f"{size} pixels; run `dvc repro`"
        )


def _predict(folder: Path, record: dict[str, Any], images: np.ndarray) -> np.ndarray:
    """Return the model's probabilities, float32, shape (N, C)."""
    models.use_backend(record["params"]["train"]["backend"])
    model = models.load(folder)
    starts = tqdm(range(0, len(images), BATCH), str(folder), delay=2, disable=None, file=sys.stderr)
    return np.concatenate(
        [model.predict_on_batch(images[start : start + BATCH]) for start in starts]
    )


def _report(
    name: str, title: str, test: faces.Faces, probabilities: np.ndarray, score: dict[str, Any]
) -> None:
    """Write the model's tables and charts, and its pictures of faces."""
    classes = np.array(test.classes)
    predicted = classes[probabilities.argmax(axis=1)]
    per_class = pd.DataFrame(score["per_class"]).T.rename_axis("class").reset_index()
    tables = {
        "confusion": pd.DataFrame({"actual": classes[test.labels], "predicted": predicted}),
        "per_class": per_class.astype({"support": int}),
        "pr": evaluation.pr_table(test.labels, probabilities, test.classes),
        "reliability": metrics.reliability(test.labels, probabilities),
        "roc": evaluation.roc_table(test.labels, probabilities, test.classes),
    }
    charts = {
        "confusion": evaluation.confusion_chart(score, title),
        "pr": evaluation.pr_chart(tables["pr"], score, title),
        "reliability": evaluation.reliability_chart(tables["reliability"], score, title),
        "roc": evaluation.roc_chart(tables["roc"], score, title),
    }
    for chart, figure in charts.items():
        save(figure, REPORTS / name / f"{chart}.png")
    for table, rows in tables.items():
        rows.round(6).to_csv(REPORTS / name / f"{table}.csv", index=False)
    save(evaluation.mistakes_sheet(test, probabilities, title), PICTURES / name / "mistakes.png")
    save(evaluation.pairs_sheet(test, probabilities, title), PICTURES / name / "pairs.png")


if __name__ == "__main__":
    run(main)
