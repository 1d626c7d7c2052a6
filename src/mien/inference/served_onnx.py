"""The code that MLflow stores with the champion's ONNX file and runs to serve it: no pickle.

It needs no TensorFlow, and only `errors`, `crops` and `inference` of this package.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel, PythonModelContext

from mien.crops import detection
from mien.errors import PhotoError
from mien.inference import photos
from mien.inference.classify import Classifier
from mien.inference.output import DIGITS
from mien.inference.reader import Face, Reader


class ServedOnnx(PythonModel):
    """The exported champion: photos in, one row for each out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the artefact `model`, an ONNX file."""
        path = Path(context.artifacts["model"])
        self.model = Classifier(path.read_bytes(), path.name)
        self.whole = Reader(self.model)

    @cached_property
    def finding(self) -> Reader:
        """The reader for whole photos."""
        return Reader(self.model, detection.YuNet())

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Return one row for each photo.

        Args:
            context: unused; MLflow passes it.
            model_input: column `image`: an image file per row, as bytes or base64 text.
            params: `detect`: find the largest face in each photo; otherwise the photo is the face.

        Returns:
            `x`, `y`, `w`, `h` (pixels of the upright photo), `emotion`, `confidence`, and the
            probability of each class. If no face is found, all are 0 and `emotion` is empty.

        Raises:
            MlflowException: an image cannot be read, or there is none; a server answers 400.
        """
        if model_input.empty:
            raise _refused("no rows; expected an image in each")
        reader = self.finding if params and params["detect"] else self.whole
        found = reader.read_all(_decoded(model_input["image"]))
        columns = ["x", "y", "w", "h", "emotion", "confidence", *self.model.classes]
        table = pd.DataFrame([self._row(faces) for faces in found], columns=columns)
        return table.round(DIGITS)

    def _row(self, faces: Sequence[Face]) -> list[int | str | float]:
        if not faces:
            return [0, 0, 0, 0, "", 0.0, *[0.0] * len(self.model.classes)]
        largest = max(faces, key=lambda face: face.box[2] * face.box[3])
        return [*largest.box, largest.emotion, largest.confidence, *largest.probabilities.values()]


def _decoded(images: Iterable[Any]) -> Iterator[np.ndarray]:
    """Yield the photos one at a time, so that only one is in memory."""
    for row, image in enumerate(images):
        try:
            yield photos.decode(_data(image))
        except PhotoError as error:
            raise _refused(f"image in row {row}: {error}") from error


def _data(image: Any) -> bytes:
    if isinstance(image, (bytes, bytearray)):
        return bytes(image)
    try:
        return base64.b64decode("".join(image.split()), validate=True)
    except (AttributeError, ValueError) as error:
        raise PhotoError("no base64; expected an image file's bytes as base64 text") from error


def _refused(reason: str) -> MlflowException:
    return MlflowException(reason, INVALID_PARAMETER_VALUE)


set_model(ServedOnnx())
