"""Train: one model, measured on validation, resumable after a kill, watched in MLflow."""

from entry import run
from mien import faces, models
from mien.params import Params
from trained import TRAINING, VALIDATION, train_model


def main(params: Params) -> None:
    """Train `model.arch`; write the model, its record, its scores and its history."""
    models.use_backend(params.train.backend, params.train.devices)
    train_model("train", params, faces.load(TRAINING), faces.load(VALIDATION))


if __name__ == "__main__":
    run(main)
