"""evaluate: every model's scores on the test split, the champion, charts, the worst mistakes.

The only stage that reads the test split. The champion is chosen on validation.
"""

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from entry import places, run, write_json
from mien import corruptions, ensembles, faces, metrics, models, tta
from mien.errors import MienError, ParamError
from mien.params import Params
from mien.plots import contact_sheet, evaluation, save
from mien.plots.attention import attention_sheet
from mien.plots.leaderboard import leaderboard, leaderboard_chart
from mien.plots.learning import learning_curves
from mien.plots.robustness import robustness_chart

if TYPE_CHECKING:
    import keras

TEST = Path("data/faces/test")
ENSEMBLE = Path("models/ensemble")
REPORTS = Path("reports/evaluate")
PREDICTIONS = Path("data/predictions")
PICTURES = Path("data/pictures/evaluate")
# Faces whose attention is shown.
ATTENDED = 12
# Faces that are shown corrupted.
CORRUPTED = 8
# What is told of corrupted images.
FIGURES = tuple(product(("accuracy", "macro_f1"), ("", "_low", "_high")))


def main(params: Params) -> None:
    """Score the trained models and their ensemble; write what the stage's outs name."""
    test = faces.load(TEST)
    probabilities, archs, titles, histories, costs = {}, {}, {}, {}, {}
    for name, place in places(params).items():
        folder = Path("models", place)
        record = _record(folder, test)
        archs[name] = record["spec"]["arch"]
        titles[name] = f"{name} ({archs[name]})"
        models.use_backend(record["params"]["train"]["backend"])
        model = models.load(folder)
        costs[name] = models.cost(model)[1]
        probabilities[name] = tta.predict(model, test.images, params.evaluate.tta, name)
        _show_attention(name, titles[name], model, test, probabilities[name])
        histories[name] = pd.read_csv(Path("reports", place, "history.csv"))
        curves = learning_curves(histories[name], f"Learning curves, {titles[name]}")
        save(curves, REPORTS / name / "learning_curves.png")
    combination = _record(ENSEMBLE, test)["combination"]
    archs["ensemble"], titles["ensemble"] = "ensemble", f"ensemble ({combination['method']})"
    costs["ensemble"] = sum(costs[name] for name in combination["members"])
    probabilities["ensemble"] = ensembles.combine(combination, probabilities).astype(np.float32)

    PREDICTIONS.mkdir(parents=True, exist_ok=True)
    scores, tables = {}, {"learning_curves": histories}
    for name, predicted in probabilities.items():
        np.save(PREDICTIONS / f"{name}.npy", predicted)
        score = metrics.score_faces(test, predicted, params.seed)
        scores[name] = {"arch": archs[name], **score}
        for table, rows in _report(name, titles[name], test, predicted, score).items():
            tables.setdefault(table, {})[name] = rows
    for table, parts in tables.items():
        # All models in one file: `plots` in dvc.yaml cannot name files by tune.archs.
        together = pd.concat(parts, names=["model"]).reset_index("model")
        together.round(6).to_csv(REPORTS / f"{table}.csv", index=False)
    champion = _compare(scores, probabilities, _allowed(costs, params), test, params)
    members = combination["members"] if champion == "ensemble" else [champion]
    nets = {name: models.load(Path("models", places(params)[name])) for name in members}

    def read(images: np.ndarray, title: str) -> np.ndarray:
        said = {
            name: tta.predict(net, images, params.evaluate.tta, f"{name}, {title}")
            for name, net in nets.items()
        }
        if champion != "ensemble":
            return said[champion]
        return ensembles.combine(combination, said).astype(np.float32)

    _corrupt(champion, titles[champion], read, test, params.seed)


def _record(folder: Path, test: faces.Faces) -> dict[str, Any]:
    """Return the record in `folder`; raise MienError unless its model reads the test faces."""
    record: dict[str, Any] = json.loads((folder / "record.json").read_text())
    spec, size = record["spec"], test.images.shape[1]
    if spec["classes"] != list(test.classes) or spec["image_size"] != size or not len(test):
        raise MienError(
            f"{TEST} must hold faces of {', '.join(spec['classes'])} at {spec['image_size']} "
            f"pixels, as {folder} was trained on, got {len(test)} of {', '.join(test.classes)} at "
            f"{size} pixels; run `dvc repro`"
        )
    return record


def _show_attention(
    name: str, title: str, model: "keras.Model", test: faces.Faces, probabilities: np.ndarray
) -> None:
    """Write what the model attends to in some faces, the classes in turn, if it can tell."""
    from mien.models import attention

    rows = _in_turn(test)[:ATTENDED]
    maps = attention.maps(model, test.images[rows])
    # Squeeze-and-excitation weighs channels, (N, C), not places.
    placed = {stage: weights for stage, weights in maps.items() if weights.ndim == 3}
    if placed:
        sheet = attention_sheet(test.take(rows), probabilities[rows], placed, title)
        save(sheet, PICTURES / name / "attention.png")


def _in_turn(test: faces.Faces) -> np.ndarray:
    """Return the rows of the faces, the classes in turn."""
    turn = test.index.groupby("label", observed=True).cumcount().to_numpy()
    return np.lexsort((test.labels, turn))


def _allowed(costs: dict[str, int], params: Params) -> list[str]:
    """Return the models that may be champion, in their order.

    Args:
        costs: multiply-adds of each model for one face.
        params: `evaluate.multiply_adds`, in millions, the limit.

    Raises:
        ParamError: no model keeps to it.
    """
    limit = params.evaluate.multiply_adds or np.inf
    allowed = [name for name, cost in costs.items() if cost <= limit * 10**6]
    if not allowed:
        least = min(costs, key=lambda name: costs[name])
        raise ParamError(
            f"evaluate.multiply_adds: no model takes at most {limit:g} million; {least} takes "
            f"{costs[least] / 10**6:.1f} million; raise it, or leave it empty"
        )
    return allowed


def _compare(
    scores: dict[str, Any],
    probabilities: dict[str, np.ndarray],
    allowed: list[str],
    test: faces.Faces,
    params: Params,
) -> str:
    """Return the champion, of those allowed the best on validation; write scores and charts."""
    together = json.loads(Path("metrics/ensemble.json").read_text())
    validation = together["member_scores"] | {"ensemble": together}
    for arch in params.distill.archs:
        scored = json.loads(Path("metrics/distill", f"{arch}.json").read_text())
        validation[f"distill_{arch}"] = scored
    # Of equals the first, so that an ensemble has to be better than its best member.
    champion = max(allowed, key=lambda name: validation[name]["macro_f1"])
    compared = {
        name: metrics.paired(test.labels, predicted, probabilities[champion], params.seed)
        for name, predicted in probabilities.items()
        if name != champion
    }
    result = {"models": scores, "champion": champion, "compared": compared}
    write_json(Path("metrics/evaluate.json"), result | {"tta": params.evaluate.tta})
    few = ("accuracy", "macro_f1", "roc_auc", "ece")
    summary = {
        role: {key: scores[name][key] for key in few}
        | {"validation_macro_f1": validation[name]["macro_f1"]}
        for role, name in (("champion", champion), ("train", "train"))
    }
    summary["champion"]["model"] = champion
    summary["train"]["arch"] = scores["train"]["arch"]
    write_json(Path("metrics/summary.json"), summary)
    table = leaderboard(scores, validation, compared)
    table.to_csv(REPORTS / "leaderboard.csv", index=False)
    save(leaderboard_chart(table, champion), REPORTS / "leaderboard.png")
    return champion


def _corrupt(
    champion: str,
    title: str,
    read: Callable[[np.ndarray, str], np.ndarray],
    test: faces.Faces,
    seed: int,
) -> None:
    """Write how well the champion reads corrupted test images.

    Args:
        champion: its name.
        title: the same, for charts.
        read: returns its probabilities for images, (N, C); takes a name for the progress line.
        test: the test split.
        seed: of the corruptions and the bootstrap.
    """
    variants: list[tuple[str, int, float | None]] = [("clean", 0, None)]
    variants += [
        (name, severity, level)
        for name, corruption in corruptions.CORRUPTIONS.items()
        for severity, level in enumerate(corruption.levels, 1)
    ]
    classes, shown = np.array(test.classes), _in_turn(test)[:CORRUPTED]
    rows, images, captions = [], [], []
    for name, severity, level in variants:
        variant, spoilt = name, test.images
        if severity:
            variant = f"{name} {severity}"
            spoilt = corruptions.corrupt(test.images, name, severity, seed)
        probabilities = read(spoilt, variant)
        score = metrics.score(test.labels, probabilities, test.classes, seed)
        row = {"corruption": name, "severity": severity, "level": level}
        rows.append(row | {f"{metric}{end}": score[f"{metric}{end}"] for metric, end in FIGURES})
        images += list(spoilt[shown])
        pairs = zip(
            classes[test.labels[shown]], classes[probabilities[shown].argmax(1)], strict=True
        )
        captions += [f"{variant}\n{true} → {taken}" for true, taken in pairs]
    table = pd.DataFrame(rows)
    means = table[table["severity"] > 0][["accuracy", "macro_f1"]].mean().round(6)
    # `dvc metrics show` leaves lists out: the means are enough to compare by.
    result = {"champion": champion, "images": rows, **means.add_prefix("mean_")}
    write_json(Path("metrics/robustness.json"), result)
    table.to_csv(REPORTS / "robustness.csv", index=False)
    save(robustness_chart(table, title), REPORTS / "robustness.png")
    sheet = contact_sheet(
        images, captions, len(shown), f"Corrupted faces, {title}\ntrue → predicted"
    )
    save(sheet, PICTURES / "corruptions.png")


def _report(
    name: str, title: str, test: faces.Faces, probabilities: np.ndarray, score: dict[str, Any]
) -> dict[str, pd.DataFrame]:
    """Write the model's charts and its pictures of faces; return the tables behind them."""
    per_class = pd.DataFrame(score["per_class"]).T.rename_axis("class").reset_index()
    tables = {
        "confusion": evaluation.confusion_table(score),
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
    save(evaluation.mistakes_sheet(test, probabilities, title), PICTURES / name / "mistakes.png")
    save(evaluation.pairs_sheet(test, probabilities, title), PICTURES / name / "pairs.png")
    return tables


if __name__ == "__main__":
    run(main)
