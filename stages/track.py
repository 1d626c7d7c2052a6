"""track: shows the pipeline's state in MLflow, whatever DVC restored from its cache.

It runs with every `dvc repro`, as DVC cannot know whether the store still holds the state.
"""

from dataclasses import replace
from pathlib import Path

from entry import run
from mien import tracking
from mien.params import Params
from mien.project import TOPS, ModelId, read_json, root, stage_inputs, trained_models, write_json

MARKER = Path("mlflow.tracked.json")


def main(params: Params) -> None:
    """Log every model, the ensemble and the pipeline; write the sorted keys of their runs."""
    digest = tracking.digest(Path(top) for top in TOPS)
    marker = read_json(MARKER) if MARKER.is_file() else {}
    # An earlier version wrote the keys alone.
    known = isinstance(marker, dict) and marker.get("state") == digest
    if known and tracking.is_logged(marker["keys"], root()):
        return
    from mien.report.page import page
    from mien.report.states import workspace

    evaluation = read_json(Path("metrics/evaluate.json"))
    models = {model.name: tracked(model, evaluation) for model in trained_models(params)}
    ensemble = tracked(ModelId("ensemble"), evaluation)
    members = [models[name] for name in ensemble.record["combination"]["members"]]
    failed = "error" in read_json(Path("metrics/export.json"))
    keys = tracking.track(
        [*models.values(), replace(ensemble, members=members)],
        evaluation,
        root(),
        None if failed else Path("models/export"),
        card=Path("reports/model_card.md").read_text(encoding="utf-8"),
        report=page(workspace(), None),
    )
    write_json(MARKER, {"state": digest, "keys": keys})


def tracked(model: ModelId, evaluation: dict) -> tracking.TrackedModel:
    """Return the model with everything that its run shows."""
    return tracking.TrackedModel(
        id=model,
        inputs=tracking.key(stage_inputs(model.dvc_stage)),
        record=read_json(model.model_folder / "record.json"),
        validation=read_json(model.metrics_file),
        test=evaluation["models"][model.name],
        history=tracking.rows(model.report_folder / "history.csv"),
        reports=[model.report_folder, Path("reports/evaluate", model.name)],
        trials=tracking.rows(model.report_folder / "trials.csv"),
    )


if __name__ == "__main__":
    run(main)
