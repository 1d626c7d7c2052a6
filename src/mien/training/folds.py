"""Cross-validation of one training recipe."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from mien.errors import ParamError
from mien.faces import Faces
from mien.metrics import score
from mien.models.pretrained import Pretrained
from mien.params import Augment, Train
from mien.training.fitting import fit

METRICS = ("accuracy", "macro_f1", "roc_auc")


def splits(training: Faces, folds: int, seed: int) -> Iterator[tuple[Faces, Faces]]:
    """Yield the images to learn from and those to measure on, for each fold.

    Folds are stratified by class. Images of one group stay together, a copy with its
    original, and only originals are measured on.

    Raises:
        ParamError: a class has fewer groups of images than there are folds.
    """
    groups = training.index.groupby("label", observed=False)["group"].nunique()
    if groups.min() < folds:
        raise ParamError(
            f"train.folds: {folds} folds need at least {folds} images of each class that are no "
            f"duplicates, got {groups.min()} of {groups.idxmin()}; lower train.folds"
        )
    copies = training.index["copy"].to_numpy() > 0
    folder = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for learn, measure in folder.split(copies, training.labels, training.index["group"]):
        yield training.take(learn), training.take(measure[~copies[measure]])


def cross_validate(
    spec: Mapping[str, Any],
    training: Faces,
    *,
    train: Train,
    augment: Augment,
    seed: int,
    checkpoints: Path,
    pretrained: Pretrained | None = None,
) -> dict[str, Any]:
    """Return mean and spread of the scores over `train.folds` trainings.

    Args:
        spec: see `mien.models`.
        training: images and their copies; each original is measured on once.
        train: how to train each fold.
        augment: how images vary in each epoch.
        seed: of the folds and of each training.
        checkpoints: folder of this cross-validation alone; it goes on from there.
        pretrained: trained weights that a transfer net starts from.

    Returns:
        `accuracy`, `macro_f1` and `roc_auc`, each as `_mean` and as `_std`, the sample standard
        deviation; `each`: for each fold the three and `n`, the number of images measured on.
        Rounded to 6 digits.
    """
    each = []
    for fold, (learn, measure) in enumerate(splits(training, train.folds, seed), start=1):
        trained = fit(
            spec,
            learn,
            measure,
            train=train,
            augment=augment,
            seed=seed,
            checkpoints=checkpoints / f"fold-{fold}",
            pretrained=pretrained,
            title=f"fold {fold}/{train.folds}, epoch",
        )
        probabilities = trained.model.predict(measure.images, batch_size=256, verbose=0)
        result = score(measure.labels, probabilities, measure.classes, seed)
        each.append({name: result[name] for name in ("n", *METRICS)})
    spread: dict[str, Any] = {"each": each}
    for name in METRICS:
        values = [row[name] for row in each]
        spread[f"{name}_mean"] = round(float(np.mean(values)), 6)
        spread[f"{name}_std"] = round(float(np.std(values, ddof=1)), 6)
    return spread
