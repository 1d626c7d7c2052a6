"""The exported model: grey faces in, probabilities out, computed by ONNX Runtime."""

import json

import numpy as np
import onnxruntime as ort

from mien.errors import ModelError

# Faces in one run: enough to use the processor well, and a few megabytes for the widest maps.
BATCH = 64


class Classifier:
    """A model in memory; many threads may call it at once.

    Attributes:
        classes: names, in the order of the probabilities.
        size: side of the faces, pixels.
    """

    def __init__(self, model: bytes, name: str) -> None:
        """Load the model.

        Args:
            model: an ONNX file with the input `image`, uint8, (N, S, S), the output
                `probabilities`, float32, (N, C), and in its metadata `classes`, a JSON list,
                and `image_size`.
            name: what messages call it.

        Raises:
            ModelError: it is no such file.
        """
        options = ort.SessionOptions()
        # A run in one thread: faces are small, so that threads wait for each other more than
        # they share, and those who read many files run one batch on each core.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        # ONNX Runtime's own kinds have no common parent but this one.
        except Exception as error:
            raise ModelError(
                f"{name}: no model that ONNX Runtime reads; export it again"
            ) from error
        self.classes, self.size = self._described(name)

    def _described(self, name: str) -> tuple[tuple[str, ...], int]:
        """Return the classes and the size, after a look at what the graph takes and gives."""
        told = self._session.get_modelmeta().custom_metadata_map
        takes = {one.name: (one.type, len(one.shape)) for one in self._session.get_inputs()}
        gives = {one.name for one in self._session.get_outputs()}
        try:
            classes = tuple(str(label) for label in json.loads(told["classes"]))
            size = int(told["image_size"])
        except (KeyError, TypeError, ValueError):
            classes, size = (), 0
        fits = takes == {"image": ("tensor(uint8)", 3)} and "probabilities" in gives
        if not (fits and classes and size > 0):
            raise ModelError(
                f"{name}: not exported by mien; expected the input `image` (uint8, N, S, S), the "
                "output `probabilities` and the metadata `classes` and `image_size`"
            )
        return classes, size

    def __call__(self, faces: np.ndarray) -> np.ndarray:
        """Return the probabilities of `faces`, uint8, shape (N, S, S): float32, (N, C)."""
        parts = [
            self._session.run(["probabilities"], {"image": faces[start : start + BATCH]})[0]
            for start in range(0, len(faces), BATCH)
        ]
        return np.concatenate(parts) if parts else np.empty((0, len(self.classes)), np.float32)
