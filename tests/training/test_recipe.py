"""What a model is trained by: its rate, its spec, its record, the params of a student."""

import inspect
import json

import pytest
from conftest import CLASSES, made_faces
from short_training import PARAMS

from mien.errors import ParamError
from mien.models import registry
from mien.models.weights import Pretrained
from mien.params import Model, Train
from mien.training import fitting
from mien.training.recipe import (
    MUON_FACTOR,
    SECTIONS,
    Recipe,
    model_spec,
    recipe,
    student,
    with_default_rate,
)

OWN = registry.module("vgg16").LEARNING_RATE
MOST = registry.LEARNING_RATE
ADAMW, MUON = "adamw", "muon"


def train(**changes: object) -> Train:
    return Train.model_validate(PARAMS.train.model_dump() | {"learning_rate": None} | changes)


@pytest.mark.parametrize(
    ("spec", "optimizer", "rate"),
    [
        ({"arch": "compact"}, ADAMW, MOST),
        ({"arch": "vgg16"}, ADAMW, OWN),
        ({"arch": "vgg16", "weights": "none"}, ADAMW, OWN),
        ({"arch": "vgg16", "weights": "imagenet"}, ADAMW, 0.001),
        ({"arch": "vgg16", "weights": "imagenet", "unfreeze": 3}, ADAMW, MOST),
        ({"arch": "compact"}, MUON, 5 * MOST),
        ({"arch": "vgg16"}, MUON, 5 * OWN),
    ],
)
def test_an_empty_rate_is_the_architecture_s_or_that_of_most(spec, optimizer, rate):
    given = train(optimizer=optimizer)
    found = with_default_rate(given, spec)
    assert found.learning_rate == pytest.approx(rate)
    assert found == given.model_copy(update={"learning_rate": found.learning_rate})


@pytest.mark.parametrize("optimizer", [ADAMW, MUON])
def test_a_rate_that_is_given_stays_whatever_the_net_and_the_optimiser(optimizer):
    given = train(learning_rate=0.03, optimizer=optimizer)
    assert with_default_rate(given, {"arch": "vgg16"}) == given


def test_the_spec_is_the_model_s_options_with_what_the_faces_say():
    model = Model(**{**PARAMS.model.model_dump(), "arch": "vgg", "width": 0.5})
    spec = model_spec(model, made_faces(4, size=24))
    assert spec == model.model_dump() | {"classes": list(CLASSES), "image_size": 24}
    assert registry.build(spec).input_shape == (None, 24, 24)


def changed(**model: object):
    values = PARAMS.model_copy(update={"model": PARAMS.model.model_copy(update=model)})
    return values.model_copy(update={"train": train(optimizer=MUON)})


def test_the_recipe_is_what_fit_takes_and_its_record_what_was_used():
    made = recipe(changed(arch="two_conv"), made_faces(4))
    wanted = inspect.signature(fitting.fit).parameters
    assert set(made.arguments) < set(wanted)
    rate = made.arguments["train"].learning_rate
    assert rate == MUON_FACTOR * registry.learning_rate("two_conv")
    record = made.record("train", {"data/training": "12"})
    assert json.loads(json.dumps(record)) == record
    assert record["name"] == "train"
    assert record["spec"] == model_spec(made.params.model, made_faces(4))
    assert record["data"] == {"data/training": "12"}
    assert record["params"]["train"]["learning_rate"] == rate
    assert record["params"].keys() == SECTIONS
    assert record["pretrained"] == {"weights": "none", "sha256": None}


def test_the_record_names_the_weights_that_a_net_starts_from():
    params = changed(arch="vgg16", weights="some.h5")
    spec = model_spec(params.model, made_faces(4))
    record = Recipe(params, spec, Pretrained("ab12", {})).record("train", {})
    assert record["pretrained"].items() >= {"weights": "some.h5", "sha256": "ab12"}.items()


def test_an_option_that_the_net_does_not_take_is_refused_before_its_training():
    with pytest.raises(ParamError, match=r"model.dense: compact has no such option, got 64"):
        recipe(changed(arch="compact", dense=64), made_faces(4))


def test_a_student_is_another_net_whose_targets_are_smooth_already():
    params = PARAMS.model_copy(
        update={
            "distill": PARAMS.distill.model_copy(update={"width": 0.25}),
            "train": train(label_smoothing=0.1, folds=3, epochs=7),
            "model": PARAMS.model.model_copy(update={"dropout": 0.4, "width": 2.0}),
        }
    )
    found = student(params, "two_conv")
    assert (found.model.arch, found.model.width, found.model.dropout) == ("two_conv", 0.25, 0.4)
    assert (found.train.label_smoothing, found.train.folds, found.train.epochs) == (0.0, 0, 7)
    rest = {"model": params.model, "train": params.train}
    assert found.model_copy(update=rest) == params
