"""Targets of a student: the ensemble's probabilities mixed with the labels.

Hinton et al. 2015, Distilling the Knowledge in a Neural Network, arXiv:1503.02531.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mien.ensembling.combination import combine
from mien.faces import Faces
from mien.models import tta
from mien.models.registry import load


def with_ensemble_targets(
    training: Faces,
    combination: Mapping[str, Any],
    folders: Mapping[str, Path],
    share: float,
    smoothing: float,
) -> Faces:
    """Return the training images with a student's targets.

    A target is `share` times the ensemble's calibrated probabilities plus (1 - share) times the
    smoothed label. Each member's probabilities are averaged over the image and its mirror image.

    Args:
        training: N images.
        combination: that of the ensemble, see `mien.ensembling.combination`.
        folders: folder of each member's `record.json` and weights, by its name.
        share: weight of the ensemble in the targets, 0 to 1.
        smoothing: label smoothing, 0 to 1.
    """
    parts = {
        name: tta.predict(load(folders[name]), training.images, "flip", name)
        for name in combination["members"]
    }
    labels = (1 - smoothing) * training.soft_targets() + smoothing / len(training.classes)
    targets = share * combine(combination, parts) + (1 - share) * labels
    return replace(training, targets=targets.astype(np.float32))
