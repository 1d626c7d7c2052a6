"""Cross-validation of one training recipe."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from mien.errors import ParamError
from mien.faces import Faces
from mien.metrics import score
from mien.models import tta
from mien.models.weights import Pretrained
from mien.params import Augment, Train
from mien.training.fitting import fit

METRICS = ("accuracy", "macro_f1", "roc_auc")


def splits(training: Faces, folds: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield for each fold the rows to train on and the rows to measure on.

    Folds are stratified by class. Images of one group stay together, also a copy with its
    original; only originals are measured on.

    Raises:
        ParamError: a class has fewer groups of images than folds.
    """
    groups = training.index.groupby("label", observed=False)["group"].nunique()
    if groups.min() < folds:
        raise ParamError(
            f"{folds} folds need at least {folds} images of each class that are no duplicates, "
            f"got {groups.min()} of {groups.idxmin()}; ask for fewer folds"
        )
    copies = training.index["copy"].to_numpy() > 0
    folder = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for learn, measure in folder.split(copies, training.labels, training.index["group"]):
        yield learn, measure[~copies[measure]]


def out_of_fold(
    spec: Mapping[str, Any],
    training: Faces,
    *,
    train: Train,
    augment: Augment,
    seed: int,
    checkpoints: Path,
    pretrained: Pretrained | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows of originals, and the probabilities of a network trained on the other folds.

    Args:
        spec: see `mien.models`.
        training: images and their copies.
        train: how to train each fold, and `folds`, their number.
        augment: augmentation in each epoch.
        seed: seed of the folds and of each training.
        checkpoints: folder of this cross-validation only; it resumes from there.
        pretrained: weights that a transfer network starts from.

    Yields:
        For each fold int rows, (n,), and float32 probabilities, (n, C); each original occurs once.
    """
    for fold, (learn, measure) in enumerate(splits(training, train.folds, seed), start=1):
        measured = training.take(measure)
        trained = fit(
            spec,
            training.take(learn),
            measured,
            train=train,
            augment=augment,
            seed=seed,
            checkpoints=checkpoints / f"fold-{fold}",
            pretrained=pretrained,
            title=f"fold {fold}/{train.folds}, epoch",
        )
        yield measure, tta.predict(trained.model, measured.images, "none", f"fold {fold}")


def judge(
    arch: str, faces: Faces, train: Train, augment: Augment, seed: int, checkpoints: Path
) -> np.ndarray:
    """Return the out-of-fold probabilities of each image: float32, shape (N, C).

    Args:
        arch: architecture of the networks.
        faces: N images without copies.
        train: how each network is trained, and `folds`, their number.
        augment: augmentation in each epoch.
        seed: seed of the folds and of each training.
        checkpoints: folder of this cross-validation only; it resumes from there.
    """
    spec = {"arch": arch, "classes": list(faces.classes), "image_size": faces.images.shape[1]}
    probabilities = np.empty((len(faces), len(faces.classes)), np.float32)
    for rows, predicted in out_of_fold(
        spec, faces, train=train, augment=augment, seed=seed, checkpoints=checkpoints
    ):
        probabilities[rows] = predicted
    return probabilities


def cross_validate(spec: Mapping[str, Any], training: Faces, **how: Any) -> dict[str, Any]:
    """Return mean and standard deviation of the scores over `train.folds` trainings.

    The arguments are those of `out_of_fold`.

    Returns:
        `accuracy`, `macro_f1` and `roc_auc`, each as `_mean` and as `_std`, the sample standard
        deviation; `each`: for each fold these three scores and `n`, the number of images.
        Rounded to 6 digits.
    """
    each = []
    for measure, probabilities in out_of_fold(spec, training, **how):
        measured = training.take(measure)
        result = score(measured.labels, probabilities, training.classes, how["seed"])
        each.append({name: result[name] for name in ("n", *METRICS)})
    spread: dict[str, Any] = {"each": each}
    for name in METRICS:
        values = [row[name] for row in each]
        spread[f"{name}_mean"] = round(float(np.mean(values)), 6)
        spread[f"{name}_std"] = round(float(np.std(values, ddof=1)), 6)
    return spread
