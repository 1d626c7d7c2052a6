"""Shared by `train` and `distill`: one training, logged live, and its files."""

import shutil
from typing import Any

from mien import tracking
from mien.faces import Faces
from mien.params import Params
from mien.project import ModelId, root, scratch, stage_inputs, write_json
from mien.training.tensorboard import tensorboard
from written import DATA, write_model


def train_model(
    model: ModelId, params: Params, training: Faces, validation: Faces, **extra: Any
) -> None:
    """Train `params.model` and write its files; `extra` goes into its record."""
    from mien.training import fitting, folds, recipe

    made, hashes = recipe.recipe(params, training), stage_inputs()
    record = made.record(model.name, {path: hashes[path] for path in DATA}) | extra
    # DVC hashes the path of a weights file, not its content.
    checkpoints = scratch() / "train" / tracking.key([hashes, record["pretrained"]])
    events = scratch() / "tensorboard" / model.dvc_stage if params.tensorboard else None
    run = tracking.live(model, tracking.key(hashes), record["params"], root())
    with run as live, tensorboard(events) as events_log:

        def watch(history: fitting.History) -> None:
            live.log(history)
            events_log(history)

        how: dict[str, Any] = {**made.arguments, "checkpoints": checkpoints / "model"}
        trained = fitting.fit(made.spec, training, validation, **how, watch=watch)
        # Epochs that were not logged because of a kill after their checkpoint.
        watch(trained.history)
        metrics = write_model(model, trained, validation, record)
        if params.train.folds:
            how = {**made.arguments, "checkpoints": checkpoints}
            metrics["folds"] = folds.cross_validate(made.spec, training, **how)
        write_json(model.metrics_file, metrics)
        live.finish(record, trained.seconds)
    shutil.rmtree(checkpoints)
