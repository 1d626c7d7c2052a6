"""Shows the pipeline's state in MLflow, whatever DVC restored from its cache."""

import csv
import json
from pathlib import Path

from entry import MODELS, ROOT, inputs, run, write_json
from mien import tracking
from mien.params import Params


def main(params: Params) -> None:
    """Log every model and the pipeline; write the sorted keys of their runs."""
    evaluation = json.loads(Path("metrics/evaluate.json").read_text())
    models = [trained(name, place, evaluation) for name, place in MODELS.items()]
    keys = tracking.track(models, evaluation, ROOT)
    write_json(Path("mlflow.tracked.json"), keys)


def trained(name: str, place: str, evaluation: dict) -> tracking.Trained:
    """Return the model `name` with all that its run shows."""
    folder, stage = Path("models", place), place.replace("/", "@")
    with Path("reports", place, "history.csv").open(newline="") as file:
        history = list(csv.DictReader(file))
    return tracking.Trained(
        stage=stage,
        inputs=tracking.key(inputs(stage)),
        folder=folder,
        record=json.loads((folder / "record.json").read_text()),
        validation=json.loads(Path("metrics", f"{place}.json").read_text()),
        test=evaluation["models"][name],
        history=history,
        reports=[Path("reports", place), Path("reports/evaluate", name)],
    )


if __name__ == "__main__":
    run(main)
