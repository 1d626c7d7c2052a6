"""ensemble: a combination of the models, fitted on validation and scored out of fold."""

from pathlib import Path

import numpy as np

from entry import run
from mien import faces
from mien.ensembling import ensemble
from mien.params import Params
from mien.project import (
    ModelId,
    ensemble_candidates,
    read_json,
    remove_files_of_gone_models,
    stage_inputs,
    write_json,
)

VALIDATION = Path("data/faces/validation")


def main(params: Params) -> None:
    """Score every method; write the combination by the requested or the best method."""
    remove_files_of_gone_models(params)
    candidates = {
        model.name: ensemble.Candidate(
            read_json(model.model_folder / "record.json"),
            np.load(model.model_folder / "validation.npy"),
        )
        for model in ensemble_candidates(params)
    }
    validation, asked = faces.load(VALIDATION), params.ensemble
    built = ensemble.build(candidates, validation, asked.members, asked.method, params.seed)
    model = ModelId("ensemble")
    used = params.model_dump(mode="json", include={"ensemble", "seed"})
    data = {str(VALIDATION): stage_inputs()[str(VALIDATION)]}
    write_json(model.model_folder / "record.json", built.record | {"params": used, "data": data})
    np.save(model.model_folder / "validation.npy", built.probabilities)
    write_json(model.metrics_file, built.metrics)
    model.report_folder.mkdir(parents=True, exist_ok=True)
    for name, table in built.tables.items():
        table.to_csv(model.report_folder / f"{name}.csv", index=False)


if __name__ == "__main__":
    run(main)
