"""Folds tear no group apart; each image is judged by a net that has not seen it."""

import keras
import numpy as np
import pytest
from conftest import made_faces
from short_training import PARAMS, SPEC, STILL, recipe

from mien.errors import ParamError
from mien.training.augmentation import training_set
from mien.training.folds import cross_validate, judge, out_of_fold, splits

pytestmark = pytest.mark.usefixtures("_eagerly")


def test_folds_keep_groups_together_and_measure_each_original_once():
    faces = made_faces(60)
    faces.index["group"] = np.arange(60) // 8 * 4 + np.arange(60) % 4
    training = training_set(faces, PARAMS.augment, seed=0)
    measured = []
    for learn, measure in (map(training.take, rows) for rows in splits(training, 5, seed=0)):
        assert not set(learn.index["group"]) & set(measure.index["group"])
        assert (measure.index["copy"] == 0).all()
        assert (learn.index["copy"] > 0).any()
        measured += measure.index["name"].tolist()
    assert sorted(measured) == sorted(faces.index["name"])


def test_folds_report_mean_and_spread_and_are_not_repeated(tmp_path, monkeypatch):
    train = recipe(epochs=1, warmup_epochs=0, folds=2, mixup=0)
    result = cross_validate(
        SPEC, made_faces(32), train=train, augment=STILL, seed=0, checkpoints=tmp_path
    )
    accuracies = [fold["accuracy"] for fold in result["each"]]
    assert [fold["n"] for fold in result["each"]] == [16, 16]
    assert result["accuracy_mean"] == pytest.approx(sum(accuracies) / 2, abs=1e-6)
    assert result["accuracy_std"] == pytest.approx(np.std(accuracies, ddof=1), abs=1e-6)
    monkeypatch.setattr(keras.Model, "fit", lambda *_, **__: pytest.fail("trained again"))
    again = cross_validate(
        SPEC, made_faces(32), train=train, augment=STILL, seed=0, checkpoints=tmp_path
    )
    assert again == result


def test_more_folds_than_images_of_a_class_are_refused():
    with pytest.raises(ParamError, match=r"9 folds need at least 9 images .* got 8 of happy"):
        next(splits(made_faces(32), 9, seed=0))


def test_each_image_is_judged_by_the_net_of_the_fold_that_left_it_out(tmp_path):
    faces = made_faces(32)
    train = recipe(epochs=1, warmup_epochs=0, folds=2)
    how = {"train": train, "augment": STILL, "seed": 0, "checkpoints": tmp_path}
    judged = judge("two_conv", faces, **how)
    assert (judged.dtype, judged.shape) == (np.float32, (32, 4))
    spec = {"arch": "two_conv", "classes": list(faces.classes), "image_size": 48}
    # Both folds lie in their checkpoints by now.
    seen = []
    for rows, probabilities in out_of_fold(spec, faces, **how):
        np.testing.assert_array_equal(judged[rows], probabilities)
        seen += rows.tolist()
    assert sorted(seen) == list(range(32))
