"""Labels in doubt: found where they were planted, dropped or softened, and nothing else."""

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES, made_faces

from mien import faces as store
from mien.params import load
from mien.preparation import suspects
from mien.training.augmentation import training_set
from mien.training.batches import Batches

COUNT, WRONG = 200, np.arange(0, 200, 20)


@pytest.fixture
def judged():
    """Return faces of which ten have a wrong label, and nets that know better."""
    faces = made_faces(COUNT)
    truth = faces.labels
    codes = truth.copy()
    codes[WRONG] = (codes[WRONG] + 1) % len(CLASSES)
    faces.index["label"] = pd.Categorical.from_codes(codes, categories=list(CLASSES))
    probabilities = 0.8 * np.eye(len(CLASSES))[truth] + 0.05
    return faces, probabilities.astype(np.float32), truth


def test_planted_wrong_labels_are_found_with_the_right_class(judged):
    faces, probabilities, truth = judged
    found = suspects.find(faces, probabilities)
    assert sorted(found["row"]) == WRONG.tolist()
    assert found["suggested"].tolist() == [CLASSES[truth[row]] for row in found["row"]]
    assert found["name"].tolist() == faces.index["name"][found["row"]].tolist()
    assert found["confidence"].is_monotonic_increasing


def test_drop_removes_the_suspects_alone(judged):
    faces, _, _ = judged
    left = suspects.drop(faces, WRONG)
    assert set(faces.index["name"]) - set(left.index["name"]) == set(faces.index["name"][WRONG])
    assert len(left) == COUNT - len(WRONG)


def test_soften_moves_the_suspects_halfway(judged):
    faces, probabilities, _ = judged
    soft = suspects.soften(faces, WRONG, probabilities)
    hard = np.eye(len(CLASSES))[faces.labels]
    others = np.setdiff1d(np.arange(COUNT), WRONG)
    np.testing.assert_array_equal(soft.targets[others], hard[others])
    halfway = (hard[WRONG] + probabilities[WRONG]) / 2
    np.testing.assert_allclose(soft.targets[WRONG], halfway, atol=1e-6)
    assert (soft.labels == faces.labels).all()


def test_targets_reach_the_batches_through_disk_and_copies(judged, tmp_path):
    faces, probabilities, _ = judged
    soft = suspects.soften(faces, WRONG, probabilities)
    augment = load().augment.model_copy(update={"copies": 1, "each_epoch": False})
    store.save(training_set(soft, augment, seed=0), tmp_path)
    training = store.load(tmp_path)
    np.testing.assert_array_equal(training.targets, np.tile(soft.targets, (2, 1)))
    batches = Batches(training, 32, 0.0, augment, seed=0, epoch=0)
    shown = {
        image.tobytes(): target
        for image, target in zip(training.images, training.targets, strict=True)
    }
    for images, targets in (batches[number] for number in range(len(batches))):
        for image, target in zip(images, targets, strict=True):
            np.testing.assert_array_equal(target, shown[image.astype(np.uint8).tobytes()])
