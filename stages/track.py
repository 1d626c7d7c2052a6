"""Shows the pipeline's state in MLflow, whatever DVC restored from its cache."""

import csv
import json
from dataclasses import replace
from pathlib import Path

from entry import ROOT, inputs, places, run, write_json
from mien import tracking
from mien.params import Params
from mien.report.page import page
from mien.report.states import workspace


def main(params: Params) -> None:
    """Log every model, the ensemble and the pipeline; write the sorted keys of their runs."""
    evaluation = json.loads(Path("metrics/evaluate.json").read_text())
    models = {name: made(name, place, evaluation) for name, place in places(params).items()}
    ensemble = made("ensemble", "ensemble", evaluation)
    used = [models[name] for name in ensemble.record["combination"]["members"]]
    state = [*models.values(), replace(ensemble, members=used)]
    failed = "error" in json.loads(Path("metrics/export.json").read_text())
    exported = None if failed else Path("models/export")
    keys = tracking.track(
        state,
        evaluation,
        ROOT,
        exported,
        card=Path("reports/model_card.md").read_text(encoding="utf-8"),
        report=page(workspace(), None),
    )
    write_json(Path("mlflow.tracked.json"), keys)


def made(name: str, place: str, evaluation: dict) -> tracking.Trained:
    """Return what the stage of `place` made, the model `name`, with all that its run shows."""
    folder, reports = Path("models", place), Path("reports", place)
    stage = place.replace("/", "@")
    return tracking.Trained(
        stage=stage,
        inputs=tracking.key(inputs(stage)),
        folder=folder,
        record=json.loads((folder / "record.json").read_text()),
        validation=json.loads(Path("metrics", f"{place}.json").read_text()),
        test=evaluation["models"][name],
        history=rows(reports / "history.csv"),
        reports=[reports, Path("reports/evaluate", name)],
        trials=rows(reports / "trials.csv"),
    )


def rows(table: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file, none if the stage writes no such file."""
    if not table.is_file():
        return []
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    run(main)
