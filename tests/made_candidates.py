"""Models that an ensemble may combine, with made probabilities on made faces."""

import hashlib

import numpy as np
from conftest import CLASSES, made_faces

from mien.ensembling.ensemble import Candidate

VALIDATION = made_faces(160)
# Name and architecture, and how good the model is.
MODELS = {
    "train": ("two_conv", 1.2),
    "tune_compact": ("compact", 1.5),
    "tune_simple_cnn": ("simple_cnn", 1.0),
}


def probabilities(seed: int, skill: float) -> np.ndarray:
    """Return float32 (160, 4), the true class's log-odds raised by `skill`."""
    rng = np.random.default_rng((seed, 9))
    logits = rng.normal(size=(len(VALIDATION), 4))
    logits[np.arange(len(VALIDATION)), VALIDATION.labels] += skill
    odds = np.exp(logits)
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)


def candidate(arch: str, said: np.ndarray, classes: tuple[str, ...] = CLASSES) -> Candidate:
    """Return the model of `arch` that says this; its weights' hash follows from that."""
    record = {
        "spec": {"arch": arch, "classes": list(classes), "image_size": 48},
        "weights_sha256": hashlib.sha256(said.tobytes()).hexdigest(),
    }
    return Candidate(record, said)


def candidates() -> dict[str, Candidate]:
    return {
        name: candidate(arch, probabilities(seed, skill))
        for seed, (name, (arch, skill)) in enumerate(MODELS.items())
    }
