"""distill ARCH: a student, a network trained on the ensemble's predictions."""

import sys
from pathlib import Path

from entry import run
from mien import faces, models
from mien.params import Params
from mien.project import ModelId, read_json
from trained import train_model
from written import TRAINING, VALIDATION


def main(params: Params) -> None:
    """Train the student; write the same files as `train`, under distill/ARCH."""
    arch = sys.argv[1]
    models.use_backend(params.train.backend, params.train.devices)
    from mien.training import distillation, recipe

    record = read_json(Path("models/ensemble/record.json"))
    training = distillation.with_ensemble_targets(
        faces.load(TRAINING),
        record["combination"],
        {name: ModelId.parse(name).model_folder for name in record["members"]},
        params.distill.share,
        params.train.label_smoothing,
    )
    teacher = {"members": record["members"], "share": params.distill.share}
    student = recipe.student(params, arch)
    train_model(
        ModelId("distill", arch), student, training, faces.load(VALIDATION), teacher=teacher
    )


if __name__ == "__main__":
    run(main)
