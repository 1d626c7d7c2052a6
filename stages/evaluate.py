"""evaluate: scores of every model on test, which no other stage reads; champion and charts."""

from pathlib import Path

import numpy as np
import pandas as pd

from entry import run
from mien import faces, figures
from mien.evaluation import charts, sheets
from mien.evaluation.evaluate import Models, evaluate
from mien.params import Params
from mien.project import ModelId, read_json, trained_models, write_json

REPORTS, PREDICTIONS = Path("reports/evaluate"), Path("data/predictions")


def main(params: Params) -> None:
    """Score the trained models and their ensemble; write scores, tables, charts and sheets."""
    trained, ensemble = trained_models(params), ModelId("ensemble")
    models = Models(
        ids={model.name: model for model in trained},
        records={m.name: read_json(m.model_folder / "record.json") for m in (*trained, ensemble)},
        histories={m.name: table(m, "history") for m in trained},
        validation={m.name: read_json(m.metrics_file) for m in (*trained, ensemble)},
    )
    test, train = (faces.load(Path("data/faces", split)) for split in ("test", "train"))
    made = evaluate(models, test, params.evaluate, params.seed)
    REPORTS.mkdir(parents=True, exist_ok=True)
    PREDICTIONS.mkdir(parents=True, exist_ok=True)
    for name, predicted in made.probabilities.items():
        np.save(PREDICTIONS / f"{name}.npy", predicted)
    write_json(Path("metrics/evaluate.json"), made.metrics() | {"tta": params.evaluate.tta})
    write_json(Path("metrics/summary.json"), made.summary)
    write_json(Path("metrics/robustness.json"), made.robustness.metrics(made.champion))
    write_json(Path("metrics/groups.json"), made.groups)
    for name, rows in made.tables.items():
        rows.to_csv(REPORTS / f"{name}.csv", index=False)
    drawn = [*charts.model_figures(made)]
    members, shares = table(ensemble, "members"), table(ensemble, "disagreement")
    drawn += charts.ensemble_figures(members, shares, models.validation["ensemble"])
    for model in trained:
        if model.stage == "tune":
            trials, importances = table(model, "trials"), table(model, "importances")
            drawn += charts.study_figures(model.name, trials, importances, params.tune.metric)
    for name, figure in drawn:
        figures.save(figure, REPORTS / f"{name}.png")
    suspects = table(ModelId("suspects"), "suspects")
    for name, figure in (*sheets.test_sheets(made, test), *sheets.suspect_sheet(suspects, train)):
        figures.save(figure, Path("data/pictures", f"{name}.png"))


def table(model: ModelId, name: str) -> pd.DataFrame:
    """Return a table written by the model's stage; a class may be called NA."""
    return pd.read_csv(model.report_folder / f"{name}.csv", keep_default_na=False, na_values=[""])


if __name__ == "__main__":
    run(main)
