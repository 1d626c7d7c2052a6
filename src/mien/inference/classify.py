"""The exported model: grey faces in, probabilities out, computed by ONNX Runtime."""

import json
import os
from collections.abc import Sequence

import cv2
import numpy as np
import onnxruntime as ort

from mien.errors import ModelError

# Faces per run: enough to use the processor well, with a few megabytes for the widest maps.
BATCH = 64
# Occlusion: the grey square covers 1/PATCH of the side, at STEPS positions along each side.
PATCH, STEPS = 6, 11
# Limits of the pipeline: side of a face in pixels, length of a class name.
SIDES, LABEL = range(16, 513), 100


class Classifier:
    """A model in memory; many threads may use it at once.

    Attributes:
        classes: names, in the order of the probabilities.
        size: side of the faces, pixels.
        drawn: whether it learned on drawn faces, and so knows no real ones.
    """

    def __init__(self, model: bytes, name: str, drawn: bool = False) -> None:
        """Load the model.

        Args:
            model: an ONNX file with the input `image`, uint8, (N, S, S), the output
                `probabilities`, float32, (N, C), and in its metadata `classes`, a JSON list,
                and `image_size`.
            name: name for messages.
            drawn: whether its card says that the faces were drawn.

        Raises:
            ModelError: it is not such a file.
        """
        options = ort.SessionOptions()
        # A run uses one thread: faces are small, so that threads would mostly wait for each other,
        # and for many files one batch runs on each core.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # Errors are raised as exceptions; they need not be logged, too.
        options.log_severity_level = 4
        # Prevents that the file reads external data; an exported model has none.
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", os.devnull
        )
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        # ONNX Runtime's exceptions have no other common base class.
        except Exception as error:
            raise ModelError(
                f"{name}: no model that ONNX Runtime reads; export it again"
            ) from error
        self._name, self.drawn = name, drawn
        self.classes, self.size = self._described(name)
        self._has_maps = "maps" in {one.name for one in self._session.get_outputs()}
        self._try()

    def _described(self, name: str) -> tuple[tuple[str, ...], int]:
        """Return the classes and the image size, after checking the graph's inputs and outputs."""
        try:
            told = self._session.get_modelmeta().custom_metadata_map
            takes = {one.name: (one.type, len(one.shape)) for one in self._session.get_inputs()}
            gives = {one.name for one in self._session.get_outputs()}
            classes, size = json.loads(told["classes"]), int(told["image_size"])
            # They name columns and are printed: a list of different, short, printable strings.
            words = isinstance(classes, list) and len(set(classes)) == len(classes) > 0
            words = words and all(one.isprintable() and 0 < len(one) <= LABEL for one in classes)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
            words = False
        fits = words and takes == {"image": ("tensor(uint8)", 3)} and "probabilities" in gives
        if not (fits and size in SIDES):
            raise ModelError(
                f"{name}: not exported by mien; expected the input `image` (uint8, N, S, S), the "
                "output `probabilities` and the metadata `classes` and `image_size`"
            )
        return tuple(classes), size

    def _try(self) -> None:
        """Refuse a graph that does not answer a black face with probabilities of the classes."""
        black = np.zeros((1, self.size, self.size), np.uint8)
        answer = np.asarray(self._run("probabilities", black)[0])
        fits = answer.shape == (1, len(self.classes)) and answer.dtype == np.float32
        fits = fits and bool((answer >= 0).all() and abs(answer.sum() - 1) < 0.01)
        if fits and self._has_maps:
            maps = self._run("maps", black)[0]
            fits = maps.ndim == 4 and maps.shape[:2] == answer.shape
        if not fits:
            raise ModelError(
                f"{self._name}: does not answer a face with one probability for each of its "
                f"{len(self.classes)} classes; export it again"
            )

    def __call__(self, faces: np.ndarray) -> np.ndarray:
        """Return the probabilities of `faces`, uint8, shape (N, S, S): float32, (N, C)."""
        parts = self._run("probabilities", faces)
        return np.concatenate(parts) if parts else np.empty((0, len(self.classes)), np.float32)

    def _run(self, output: str, faces: np.ndarray) -> list[np.ndarray]:
        """Return the graph's output for each batch."""
        try:
            return [
                self._session.run([output], {"image": faces[start : start + BATCH]})[0]
                for start in range(0, len(faces), BATCH)
            ]
        # As above. A valid graph only fails if there is not enough memory.
        except Exception as error:
            reason = " ".join(str(error).split())[-200:]
            raise ModelError(f"{self._name}: fails on a face: {reason}") from error

    def explain(self, faces: np.ndarray, codes: Sequence[int]) -> np.ndarray:
        """Return heat maps: how much each place of a face speaks for a class, float32, (N, S, S).

        The unit is log odds; only differences within one map are meaningful. If the graph has the
        output `maps`, they are class activation maps (CAM, Zhou et al. 2016, arXiv:1512.04150).
        Otherwise they are the drop of the class's log odds while a grey square covers the place
        (occlusion, Zeiler and Fergus 2014, arXiv:1311.2901), which takes 122 faces each.

        Args:
            faces: uint8, shape (N, S, S).
            codes: the class to explain for each face, an index into `classes`.
        """
        if not self._has_maps:
            maps = [self._occluded(face, code) for face, code in zip(faces, codes, strict=True)]
        else:
            asked = iter(codes)
            coarse = [places[next(asked)] for part in self._run("maps", faces) for places in part]
            shape = (self.size, self.size)
            maps = [cv2.resize(one, shape, interpolation=cv2.INTER_LINEAR) for one in coarse]
        return np.array(maps, np.float32).reshape(-1, self.size, self.size)

    def _occluded(self, face: np.ndarray, code: int) -> np.ndarray:
        """Return the drop of the class's log odds where squares cover the face, (S, S)."""
        side = self.size // PATCH
        starts = np.linspace(0, self.size - side, STEPS).round().astype(int)
        areas = [np.s_[y : y + side, x : x + side] for y in starts for x in starts]
        covered = np.repeat(face[None], len(areas) + 1, axis=0)
        for copy, area in zip(covered, areas, strict=False):
            copy[area] = round(face.mean())
        shares = self(covered).clip(np.finfo(np.float32).tiny)
        # Not 1 - p, which is rounded to 0 if p is almost 1.
        odds = np.log(shares[:, code]) - np.log(np.delete(shares, code, axis=1).sum(axis=1))
        falls = (odds[-1] - odds[:-1]).reshape(STEPS, STEPS)
        # Each drop belongs to the centre of its square; between the centres it is interpolated.
        spots = (np.arange(self.size) + (1 - side) / 2) * (STEPS - 1) / (self.size - side)
        across, down = np.meshgrid(spots.astype(np.float32), spots.astype(np.float32))
        return cv2.remap(falls, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
