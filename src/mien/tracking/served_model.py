"""The code that MLflow stores with a model's weights and runs to serve it, instead of a pickle."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from mien.ensembling.combination import combine


class ServedModel(PythonModel):
    """A model of `mien`: grey faces in, one column of probabilities per class out.

    The artefact `model` is the folder of a network or of an ensemble; the folders of an ensemble's
    members are artefacts with the members' names.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Rebuild the Keras models from their specs and weights."""
        # Not at the top: logging a model runs this file without Keras.
        from mien import models

        folders = {name: Path(path) for name, path in context.artifacts.items()}
        records = {name: _record(folder) for name, folder in folders.items()}
        self.classes = records["model"]["spec"]["classes"]
        self.combination = records["model"].get("combination")
        nets = self.combination["members"] if self.combination else ["model"]
        if "keras" not in sys.modules and "KERAS_BACKEND" not in os.environ:
            models.use_backend(records[nets[0]]["params"]["train"]["backend"])
        self.models = {name: models.load(folders[name]) for name in nets}

    def predict(
        self,
        context: PythonModelContext,
        model_input: np.ndarray,
        params: dict | None = None,
    ) -> pd.DataFrame:
        """Return the classes' probabilities, float32, one row for each face.

        Args:
            context: unused; MLflow passes it.
            model_input: faces, uint8, shape (N, S, S), grey 0 to 255.
            params: unused; MLflow passes it.
        """
        parts = {name: model.predict(model_input, verbose=0) for name, model in self.models.items()}
        probabilities = combine(self.combination, parts) if self.combination else parts["model"]
        return pd.DataFrame(probabilities.astype(np.float32), columns=self.classes)


def _record(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "record.json").read_text())


set_model(ServedModel())
