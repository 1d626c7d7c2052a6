"""train: one model, measured on validation, resumable after a kill, logged live to MLflow."""

from entry import run
from mien import faces, models
from mien.params import Params
from mien.project import ModelId
from trained import train_model
from written import TRAINING, VALIDATION


def main(params: Params) -> None:
    """Train `model.arch`; write the model, its record, its scores and its history."""
    models.use_backend(params.train.backend, params.train.devices)
    train_model(ModelId("train"), params, faces.load(TRAINING), faces.load(VALIDATION))


if __name__ == "__main__":
    run(main)
