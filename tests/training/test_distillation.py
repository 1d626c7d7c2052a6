"""A student's targets are arithmetic on what the ensemble says and on the labels."""

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import CLASSES, made_faces

from mien import models
from mien.ensembling.combination import combine
from mien.faces import Faces
from mien.training.distillation import with_ensemble_targets

TRAINING = made_faces(12)
COMBINATION = {
    "method": "weighted",
    "members": ["train", "tune_two_conv"],
    "weights": [0.75, 0.25],
    "temperature": 1.5,
}


@pytest.fixture(scope="module")
def nets(tmp_path_factory) -> dict[str, tuple[Path, keras.Model]]:
    """Return the folder and the net of each member, and of a model that is none."""
    made = {}
    for seed, name in enumerate(("train", "tune_two_conv", "tune_other")):
        spec = {"arch": "two_conv", "width": 0.1, "classes": list(CLASSES), "image_size": 48}
        folder = tmp_path_factory.mktemp(name)
        model = models.build(spec, seed)
        model.save_weights(folder / "model.weights.h5")
        (folder / "record.json").write_text(json.dumps({"spec": spec}))
        made[name] = folder, model
    return made


def targets(nets, training: Faces = TRAINING, share: float = 0.7, smoothing: float = 0.2):
    folders = {name: folder for name, (folder, _) in nets.items()}
    return with_ensemble_targets(training, COMBINATION, folders, share, smoothing)


def test_targets_mix_what_the_members_say_of_both_mirror_images_with_smooth_labels(nets):
    faces, mirrored = (
        images.astype(np.float32) for images in (TRAINING.images, TRAINING.images[:, :, ::-1])
    )
    said = {
        name: (np.asarray(model(faces)) + np.asarray(model(mirrored))) / 2
        for name, (_, model) in nets.items()
    }
    mixed = 0.75 * said["train"] + 0.25 * said["tune_two_conv"]
    sharpened = mixed ** (1 / 1.5)
    ensemble = sharpened / sharpened.sum(axis=1, keepdims=True)
    labels = np.full((12, 4), 0.2 / 4)
    labels[np.arange(12), TRAINING.labels] += 0.8
    found = targets(nets)
    assert found.targets.dtype == np.float32
    assert found.targets == pytest.approx(0.7 * ensemble + 0.3 * labels, abs=1e-5)
    assert found.images is TRAINING.images
    assert found.index.equals(TRAINING.index)
    assert ensemble == pytest.approx(combine(COMBINATION, said), abs=1e-6)


def test_without_the_ensemble_s_share_the_targets_are_the_smooth_labels(nets):
    expected = 0.8 * np.eye(4)[TRAINING.labels] + 0.05
    assert targets(nets, share=0.0).targets == pytest.approx(expected, abs=1e-6)


def test_votes_of_people_are_smoothed_instead_of_the_labels(nets):
    votes = np.random.default_rng(0).dirichlet(np.ones(4), 12).astype(np.float32)
    found = targets(nets, replace(TRAINING, targets=votes), share=0.0)
    assert found.targets == pytest.approx(0.8 * votes + 0.05, abs=1e-6)
