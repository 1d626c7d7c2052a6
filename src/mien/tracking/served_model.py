"""The code that MLflow keeps beside a model's weights and runs to serve it: no pickle."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext


class ServedModel(PythonModel):
    """A model of `mien`: grey faces in, one column of probabilities per class out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Rebuild the Keras model from its spec and weights."""
        # Not above: logging the model runs this file, and needs no Keras.
        from mien import models

        folder = Path(context.artifacts["model"])
        record = json.loads((folder / "record.json").read_text())
        if "keras" not in sys.modules and "KERAS_BACKEND" not in os.environ:
            models.use_backend(record["params"]["train"]["backend"])
        self.classes = record["spec"]["classes"]
        self.model = models.load(folder)

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
        return pd.DataFrame(self.model.predict(model_input, verbose=0), columns=self.classes)


set_model(ServedModel())
