"""Write the files of a model, for `train`, `tune` and `distill`; paths of their data."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mien.faces import Faces
from mien.project import ModelId, write_json

if TYPE_CHECKING:
    from mien.training.fitting import Trained

TRAINING, VALIDATION = Path("data/training"), Path("data/faces/validation")
# Their hashes are part of a model's record.
DATA = (str(TRAINING), str(VALIDATION))


def write_model(
    model: ModelId, trained: "Trained", validation: Faces, record: dict[str, Any]
) -> dict[str, Any]:
    """Write weights, probabilities, history and the record; return the model's metrics."""
    from mien.training.measures import measures

    for folder in (model.model_folder, model.report_folder):
        folder.mkdir(parents=True, exist_ok=True)
    weights = model.model_folder / "model.weights.h5"
    trained.model.save_weights(weights)
    record["weights_sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    write_json(model.model_folder / "record.json", record)
    metrics, probabilities = measures(trained, validation, record)
    np.save(model.model_folder / "validation.npy", probabilities)
    history = pd.DataFrame(trained.history).round(6)
    history.to_csv(model.report_folder / "history.csv", index=False)
    return metrics
