"""Train: one model, measured on validation, resumable after a kill, watched in MLflow."""

import shutil
from pathlib import Path
from typing import Any

from entry import ROOT, SCRATCH, STAGE, inputs, run, write_json
from mien import faces, models, tracking
from mien.params import Params
from trained import SECTIONS, TRAINING, VALIDATION, recorded, write_model


def main(params: Params) -> None:
    """Train `model.arch`; write the model, its record, its scores and its history."""
    models.use_backend(params.train.backend)
    from mien.models import pretrained
    from mien.training import board, cross_validate, described, fit

    suited = params.train.suited(params.model.model_dump())
    params = params.model_copy(update={"train": suited})
    training, validation = faces.load(TRAINING), faces.load(VALIDATION)
    spec = described(params.model, training)
    models.check(spec)
    start, hashes = pretrained.load(spec), inputs()
    sections = params.model_dump(mode="json", include=SECTIONS)
    record = recorded("train", spec, start, sections, hashes)
    # DVC hashes the path of a weights file, not what lies there.
    checkpoints = SCRATCH / "train" / tracking.key([hashes, record["pretrained"]])
    recipe: dict[str, Any] = {
        "train": params.train,
        "augment": params.augment,
        "seed": params.seed,
        "pretrained": start,
    }
    events = SCRATCH / "tensorboard" / STAGE if params.tensorboard else None
    with (
        tracking.live("train", "train", tracking.key(hashes), sections, ROOT) as watched,
        board(events) as show,
    ):

        def watch(history: list[dict[str, float]]) -> None:
            watched.log(history)
            show(history)

        trained = fit(
            spec, training, validation, **recipe, checkpoints=checkpoints / "model", watch=watch
        )
        # What a kill between a checkpoint and its log left out.
        watch(trained.history)
        metrics = write_model("train", trained, validation, record)
        if params.train.folds:
            metrics["folds"] = cross_validate(spec, training, **recipe, checkpoints=checkpoints)
        write_json(Path("metrics/train.json"), metrics)
        watched.finish(record)
    shutil.rmtree(checkpoints)


if __name__ == "__main__":
    run(main)
