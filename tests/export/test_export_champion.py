"""The champion's files answer as it does, its card tells what was measured of them."""

import json

import numpy as np
import onnxruntime as ort
import pandas as pd
import pytest
from conftest import made_faces
from graphs import IMAGES, net

from mien import metrics, models
from mien.ensembling import combination
from mien.errors import ExportError
from mien.export import champion
from mien.export.checking import probabilities, verdict

VALIDATION = made_faces(len(IMAGES))
LABELS = VALIDATION.labels
SEED = 17
ARCHS = ("two_conv", "simple_cnn")
TEST = metrics.score_faces(VALIDATION, np.eye(4)[LABELS], SEED)


def nets(*archs: str) -> dict:
    return {f"tune_{arch}": net(arch) for arch in archs}


def records(*archs: str) -> dict:
    return {
        f"tune_{arch}": {
            "spec": {"arch": arch, "classes": list(VALIDATION.classes), "image_size": 48},
            "params": {"train": {"learning_rate": 0.1}},
            "data": {"data/training": "11"},
            "weights_sha256": arch,
        }
        for arch in archs
    }


def said(*archs: str) -> dict[str, np.ndarray]:
    images = VALIDATION.images.astype(np.float32)
    return {name: np.asarray(each(images)) for name, each in nets(*archs).items()}


def test_a_net_alone_is_calibrated_on_validation_and_judged_out_of_fold():
    parts = said("two_conv")
    # Right in two of five images, so that each fold has a temperature of its own.
    right = parts["tune_two_conv"].argmax(axis=1)
    labels = np.where(np.arange(len(right)) % 5 < 2, right, (right + 1) % 4)
    judged = made_faces(len(labels))
    judged.index["label"] = pd.Categorical.from_codes(labels, categories=VALIDATION.classes)
    found = champion.calibrate(nets("two_conv"), None, np.zeros((32, 4)), judged, SEED)
    folds = combination.assign_folds(labels, judged.index["group"].to_numpy(), SEED)
    alone = combination.fit("mean", parts, labels, folds)
    assert found.combination["members"] == ["tune_two_conv"]
    assert found.combination["temperature"] == pytest.approx(alone["temperature"], rel=1e-3)
    np.testing.assert_allclose(found.expected, combination.combine(alone, parts), atol=1e-4)
    honest = combination.cross_fit("mean", parts, labels, folds)
    assert np.abs(honest - found.expected).max() > 1e-3
    np.testing.assert_allclose(found.honest, honest, atol=1e-4)
    assert np.abs(found.expected - parts["tune_two_conv"]).max() > 0.01


TOGETHER = {
    "method": "weighted",
    "members": [f"tune_{arch}" for arch in ARCHS],
    "weights": [0.6, 0.4],
    "temperature": 0.8,
}


@pytest.fixture(scope="module")
def calibrated() -> champion.Calibrated:
    honest = np.full((32, 4), 0.25, np.float32)
    return champion.calibrate(nets(*ARCHS), TOGETHER, honest, VALIDATION, SEED)


@pytest.fixture(scope="module")
def exported(calibrated) -> champion.Exported:
    return champion.export(nets(*ARCHS), records(*ARCHS), calibrated, VALIDATION, TEST, SEED)


def test_an_ensemble_keeps_its_combination_and_its_own_cross_fitted_answers(calibrated):
    assert calibrated.combination == TOGETHER
    expected = combination.combine(TOGETHER, said(*ARCHS))
    np.testing.assert_allclose(calibrated.expected, expected, atol=1e-5)
    assert (calibrated.honest == 0.25).all()


def test_the_files_answer_as_the_ensemble_and_differ_as_is_told(exported, calibrated):
    full = exported.files["model"]
    found = probabilities(full, VALIDATION.images)
    difference = np.abs(found - calibrated.expected).max()
    assert exported.measured["difference"] == pytest.approx(difference, abs=1e-6)
    assert difference < 1e-5
    told = ort.InferenceSession(full).get_modelmeta().custom_metadata_map
    assert json.loads(told["classes"]) == list(VALIDATION.classes)
    assert (told["image_size"], told["arch"]) == ("48", "ensemble")
    versions = exported.measured["versions"]
    assert list(versions) == ["model", "model_int8_weights", "model_int8"]
    assert set(exported.files) == {name for name in versions if versions[name]["kept"]}
    for name, file in exported.files.items():
        answers = probabilities(file, VALIDATION.images)
        expected = {"bytes": len(file), **verdict(LABELS, found, answers)}
        assert versions[name] == expected
    assert versions["model_int8_weights"]["bytes"] < 0.6 * len(full)


def test_the_card_has_the_costs_of_all_members_and_the_honest_scores(exported):
    costs = [models.cost(each) for each in nets(*ARCHS).values()]
    assert exported.card["parameters"] == sum(parameters for parameters, _ in costs)
    assert exported.card["multiply_adds"] == sum(multiply_adds for _, multiply_adds in costs)
    score = metrics.score_faces(VALIDATION, np.full((32, 4), 0.25), SEED)
    validation = exported.card["metrics"]["validation"]
    assert validation["ece"] == score["ece"]
    assert validation["accuracy"] == score["accuracy"]
    assert exported.card["metrics"]["test"]["accuracy"] == 1


def test_a_version_that_answers_otherwise_is_measured_and_not_kept(calibrated, monkeypatch):
    monkeypatch.setattr(champion, "narrow", lambda graph: champion.combined(*turned(calibrated)))
    found = champion.export(nets(*ARCHS), records(*ARCHS), calibrated, VALIDATION, TEST, SEED)
    assert found.measured["versions"]["model_int8_weights"]["agreement"] < 0.98
    assert "model_int8_weights" not in found.files
    assert "model" in found.files


def turned(calibrated: champion.Calibrated) -> tuple:
    """Return the arguments of a graph that takes the other member for the heavier one."""
    weights = {"weights": [0.0001, 0.9999]}
    graphs = {name: champion.converted(each) for name, each in nets(*ARCHS).items()}
    return {**calibrated.combination, **weights}, graphs


def test_a_net_that_onnx_cannot_hold_has_a_card_and_no_file(calibrated, monkeypatch):
    def refused(*_):
        raise ExportError("the exported model is no sound ONNX file (why)")

    monkeypatch.setattr(champion, "checked", refused)
    found = champion.export(nets(*ARCHS), records(*ARCHS), calibrated, VALIDATION, TEST, SEED)
    assert found.files == {}
    assert found.measured == {"error": "the exported model is no sound ONNX file (why)"}
    assert found.card["arch"] == "ensemble"
