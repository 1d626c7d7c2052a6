"""Distil: a net that learns from what the ensemble says, so that one small net knows as much.

Hinton et al. 2015, Distilling the Knowledge in a Neural Network, arXiv:1503.02531.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from entry import members, run
from mien import ensembles, faces, models, tta
from mien.params import Params
from trained import TRAINING, VALIDATION, train_model

ENSEMBLE = Path("models/ensemble")


def main(params: Params) -> None:
    """Train the student; write what `train` writes, under distill/ARCH."""
    parser = argparse.ArgumentParser()
    parser.add_argument("arch")
    arch = parser.parse_args().arch
    models.use_backend(params.train.backend, params.train.devices)
    training, validation = faces.load(TRAINING), faces.load(VALIDATION)
    record = json.loads((ENSEMBLE / "record.json").read_text(encoding="utf-8"))
    smoothing, share = params.train.label_smoothing, params.distill.share
    labels = (1 - smoothing) * training.aims() + smoothing / len(training.classes)
    targets = share * said(record["combination"], training, params) + (1 - share) * labels
    training = replace(training, targets=targets.astype(np.float32))
    teacher = {"teacher": {"members": record["members"], "share": share}}
    train_model(f"distill/{arch}", params.student(arch), training, validation, teacher)


def said(combination: dict, training: faces.Faces, params: Params) -> np.ndarray:
    """Return the ensemble's calibrated probabilities, float64, shape (N, C).

    Each member's are the mean over the image and its mirror image.
    """
    parts = {}
    for name in combination["members"]:
        member = models.load(Path("models", members(params)[name]))
        parts[name] = tta.predict(member, training.images, "flip", name)
    return ensembles.combine(combination, parts)


if __name__ == "__main__":
    run(main)
