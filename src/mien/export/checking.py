"""Run an ONNX file and check its output."""

import numpy as np
import onnx
import onnxruntime as ort

from mien.errors import ExportError

BATCH = 64
# Maximum difference between probabilities of Keras and of ONNX Runtime.
TOLERANCE = 1e-4
# Limits for a smaller version: minimum share of equal predictions, maximum loss of accuracy.
AGREEMENT, LOSS = 0.98, 0.005


def probabilities(model: bytes, images: np.ndarray) -> np.ndarray:
    """Return the output of `model`, float32, (N, C), for uint8 `images`, (N, S, S)."""
    options = ort.SessionOptions()
    options.log_severity_level = 3  # errors
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    starts = range(0, len(images), BATCH)
    batches = [{"image": images[start : start + BATCH]} for start in starts]
    return np.concatenate([session.run(["probabilities"], batch)[0] for batch in batches])


def checked(model: bytes, images: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference from the probabilities of Keras.

    Args:
        model: an ONNX file.
        images: uint8, shape (N, S, S).
        expected: float, shape (N, C), from Keras for these images.

    Raises:
        ExportError: the file is not valid ONNX, ONNX Runtime cannot run it, or its output differs
            from that of Keras.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
        found = probabilities(model, images)
    # Both raise exceptions that have no other common base class.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ExportError(
            f"the exported model is no sound ONNX file ({reason}); choose another architecture"
        ) from error
    difference = float(np.abs(found - expected).max())
    # Not `>`: NaN must not pass.
    if not difference <= TOLERANCE:
        raise ExportError(
            f"the exported model must give Keras' probabilities within {TOLERANCE:g}, got a "
            f"difference of {difference:.2g}; choose another architecture"
        )
    return difference


def verdict(labels: np.ndarray, reference: np.ndarray, candidate: np.ndarray) -> dict[str, object]:
    """Return whether a smaller version may replace the reference.

    Args:
        labels: int, shape (N,), true class codes.
        reference: float, shape (N, C), output of the full version.
        candidate: output of the smaller one.

    Returns:
        `agreement`, the share of equal predictions; `accuracy_loss`, negative if the smaller one
        is more accurate; `kept`: at least 98 % agree and less than half a point is lost.
    """
    before, after = reference.argmax(axis=1), candidate.argmax(axis=1)
    agreement = int((before == after).sum()) / len(labels)
    # From counts: a difference of two shares could exceed the limit by a rounding error.
    loss = (int((before == labels).sum()) - int((after == labels).sum())) / len(labels)
    return {
        "agreement": round(agreement, 6),
        "accuracy_loss": round(loss, 6),
        "kept": agreement >= AGREEMENT and loss < LOSS,
    }
