"""The models that come with the package, and the cards beside them."""

import hashlib
import json

import numpy as np
import pytest

from mien.inference import models
from mien.labels import canonical

LARGEST = 4.4e6
EXPRESSIONS = {"angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"}


@pytest.fixture(params=models.SHIPPED)
def name(request) -> str:
    return request.param


@pytest.fixture
def card(name) -> dict:
    return json.loads((models.PRETRAINED / f"{name}.json").read_text())


def test_the_file_is_small_and_knows_the_classes_of_its_card(name, card):
    assert (models.PRETRAINED / f"{name}.onnx").stat().st_size < LARGEST
    model = models.load(name)
    assert list(model.classes) == card["classes"]
    assert len(model.classes) == int(name.removeprefix("fer").removesuffix("-small"))
    assert set(model.classes) <= EXPRESSIONS
    assert [canonical(label) for label in model.classes] == list(model.classes)
    assert model.size == card["image_size"]


def test_answers_are_probabilities_and_differ_from_face_to_face(name):
    faces = np.random.default_rng(0).integers(0, 256, (70, 48, 48), dtype=np.uint8)
    faces = faces // np.arange(1, 71, dtype=np.uint8)[:, None, None]
    said = models.load(name)(faces)
    assert said.min() >= 0
    np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-3)
    assert said.std(axis=0).max() > 0.01


def test_the_card_tells_scores_costs_and_origin(name, card):
    for split in ("validation", "test"):
        measured = card["metrics"][split]
        for score in ("accuracy", "macro_f1", "roc_auc"):
            assert measured[f"{score}_low"] <= measured[score] <= measured[f"{score}_high"]
        assert measured["n"] > 1000
    assert card["metrics"]["test"]["unseen"]["n"] < card["metrics"]["test"]["n"]
    assert card["metrics"]["validation"]["ece"] < 0.1
    assert 0 < card["parameters"] <= 5e6
    assert 0 < card["multiply_adds"] <= (80e6 if name.endswith("-small") else 110e6)
    for digest in (card["params_sha256"], card["source"]["sha256"]):
        assert len(digest) == len(hashlib.sha256().hexdigest())
