"""A model answers as its net does, averaged as asked; an ensemble, as its members do together."""

import made_models
import numpy as np
import pytest
from made_models import COMBINATION, IDS, TEST

from mien import models
from mien.errors import MienError
from mien.evaluation import predictions
from mien.models import attention

RECORDS = {name: made_models.record(name) for name in IDS}
SHOWN = np.array([5, 0, 9])


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return made_models.written(tmp_path_factory.mktemp("models"))


def said(folders, name: str, images: np.ndarray = TEST.images) -> np.ndarray:
    return np.asarray(models.load(folders[name])(images.astype(np.float32)))


def test_models_are_asked_for_all_images_their_costs_and_the_attention_of_some(folders):
    found = predictions.predict_all(folders, RECORDS, TEST, "none", SHOWN)
    assert list(found.probabilities) == list(found.attention) == [*IDS]
    for name, folder in folders.items():
        np.testing.assert_allclose(found.probabilities[name], said(folders, name), atol=1e-5)
        assert found.costs[name] == models.cost(models.load(folder))
    expected = attention.maps(models.load(folders["train"]), TEST.images[SHOWN])
    assert found.attention["train"].keys() == expected.keys() != set()
    for stage, weights in expected.items():
        np.testing.assert_allclose(found.attention["train"][stage], weights, atol=1e-5)
    assert found.attention["tune_two_conv"] == {}


def test_flips_are_averaged_where_they_are_asked_for(folders):
    one = {"train": folders["train"]}
    found = predictions.predict_all(one, RECORDS, TEST, "flip", SHOWN).probabilities["train"]
    both = [said(folders, "train", images) for images in (TEST.images, TEST.images[:, :, ::-1])]
    assert np.abs(both[1] - both[0]).max() > 0.01
    np.testing.assert_allclose(found, np.mean(both, axis=0), atol=1e-5)


@pytest.mark.parametrize("average", ["none", "flip"])
def test_the_champion_is_asked_as_it_was_evaluated(folders, average):
    found = predictions.predict_all(folders, RECORDS, TEST, average, SHOWN).probabilities
    alone = predictions.predictor("tune_two_conv", COMBINATION, folders, average)
    np.testing.assert_allclose(alone(TEST.images, "test"), found["tune_two_conv"], atol=1e-6)
    together = predictions.predictor("ensemble", COMBINATION, folders, average)
    answers = together(TEST.images, "test")
    assert answers.dtype == np.float32
    # A weighted mean at temperature 1.
    expected = 0.75 * found["train"] + 0.25 * found["tune_simple_cnn"]
    np.testing.assert_allclose(answers, expected, atol=1e-6)


def other(**spec: object) -> dict:
    record = made_models.record("train")
    return {"train": record | {"spec": record["spec"] | spec}}


@pytest.mark.parametrize(
    ("records", "test", "expected", "got"),
    [
        (other(classes=["happy", "sad"]), TEST, "happy, sad at 48", "48 of happy, neutral"),
        (other(image_size=64), TEST, "surprise at 64", "48 of happy, neutral, sad, surprise at 48"),
        (RECORDS, TEST.take(np.array([], int)), "surprise at 48", "0 of happy, neutral"),
    ],
)
def test_a_model_of_other_faces_is_one_line(records, test, expected, got):
    with pytest.raises(MienError) as caught:
        predictions.check(records, test)
    said = str(caught.value)
    assert said.startswith("the test split must hold faces of happy, ")
    assert f"{expected} pixels, as the model train was trained on, got {got}" in said
    assert said.endswith("; run `dvc repro`")


def test_models_of_these_faces_pass():
    predictions.check(RECORDS | {"ensemble": made_models.record("ensemble")}, TEST)
