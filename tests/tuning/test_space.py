"""A study starts at params.yaml, looks where it is told to, and makes valid settings."""

from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from mien import models, params
from mien.errors import TuningError
from mien.models import registry
from mien.params import Params, Search
from mien.training.recipe import with_default_rate
from mien.tuning import space
from mien.tuning.space import Space

PARAMS = params.load(Path(__file__).parents[2] / "params.yaml")


def given(**sections) -> Params:
    """Return the project's params with some of a section's values changed."""
    changes = {
        name: getattr(PARAMS, name).model_copy(update=values) for name, values in sections.items()
    }
    return PARAMS.model_copy(update=changes)


def searched(**sections) -> Params:
    search = Search.model_validate({"model": {}, "train": {}, "augment": {}} | sections)
    return given(tune={"search": search})


def with_options(**options) -> Params:
    return given(tune={"model": PARAMS.tune.model.model_copy(update=options)})


def test_the_start_is_params_yaml_with_the_architecture():
    found = space.of(with_options(dropout=0.4), "vgg")
    assert found.settings.model == PARAMS.model.model_copy(update={"arch": "vgg", "dropout": 0.4})
    assert found.settings.train == with_default_rate(PARAMS.train, {"arch": "vgg"})
    assert found.settings.augment == PARAMS.augment
    assert found.start["train.learning_rate"] == registry.learning_rate("vgg")
    assert found.made(found.start) is found.settings


def test_an_empty_option_starts_at_the_value_of_the_architecture():
    starts = space.of(PARAMS, "deep_cnn").start
    assert (starts["model.dense"], starts["model.dropout"]) == (128, 0.25)
    assert space.of(with_options(dense=200), "deep_cnn").start["model.dense"] == 200


def test_a_study_takes_nothing_from_the_network_of_train():
    other = given(model={"arch": "vgg", "width": 0.5, "dropout": 0.4, "attention": "se"})
    assert space.of(other, "vgg") == space.of(PARAMS, "vgg")


def test_only_options_that_the_architecture_takes_are_searched():
    names = {name for name in space.of(PARAMS, "compact").start if name.startswith("model.")}
    assert names == {"model.width", "model.dropout", "model.depth", "model.kernel"}
    assert "model.dense" in space.of(PARAMS, "simple_cnn").start


def test_an_option_for_another_architecture_is_left_to_it():
    own = {"dense": 64, "weights": "imagenet", "unfreeze": 3}
    ours = with_options(**own)
    assert own.items() <= space.of(ours, "vgg16").settings.model.model_dump().items()
    compact = space.of(ours, "compact").settings.model
    assert (compact.dense, compact.weights, compact.unfreeze) == (None, "none", None)
    models.check(compact.model_dump())


def test_a_transfer_net_without_a_hidden_layer_is_not_searched_over_its_size():
    assert "model.dense" not in space.of(PARAMS, "vgg16").start
    choices = space.of(searched(model={"dense": {"choices": [64]}}), "vgg16")
    assert choices.distributions["model.dense"] == CategoricalDistribution((64, None))


def test_ranges_and_choices_hold_the_start_and_have_the_type_of_their_field():
    found = space.of(
        searched(
            model={"depth": {"low": 2, "high": 3}, "kernel": {"choices": [5, 5]}},
            train={
                "learning_rate": {"low": 0.01, "high": 0.1, "log": True},
                "batch_size": {"low": 8, "high": 32, "log": True},
            },
        ),
        "compact",
    )
    assert found.distributions == {
        "model.depth": IntDistribution(1, 3),
        "model.kernel": CategoricalDistribution((5, 3)),
        "train.learning_rate": FloatDistribution(0.002, 0.1, log=True),
        "train.batch_size": IntDistribution(8, 64, log=True),
    }


def test_a_logarithmic_range_without_the_start_s_zero_is_one_line():
    ours = given(train={"weight_decay": 0.0})
    with pytest.raises(TuningError, match=r"train.weight_decay: .* got 0 in .* set .* above 0"):
        space.of(ours, "compact")
    low = {"low": 0.1, "high": 0.5, "log": True}
    search = Search.model_validate({"model": {"dropout": low}, "train": {}, "augment": {}})
    zero = PARAMS.tune.model.model_copy(update={"dropout": 0.0})
    with pytest.raises(TuningError, match=r"in tune.model.dropout; set tune.model.dropout above"):
        space.of(given(tune={"search": search, "model": zero}), "compact")


def test_values_make_settings_that_differs_there_alone():
    found = space.of(PARAMS, "compact")
    drawn = found.start | {"train.learning_rate": 0.00123456789, "model.depth": 2}
    values = found.values(drawn)
    assert list(values) == list(found.distributions)
    assert values["train.learning_rate"] == 0.00123457
    settings = found.made(values)
    assert settings.train == PARAMS.train.model_copy(update={"learning_rate": 0.00123457})
    assert settings.model.depth == 2
    assert settings.model.dropout == models.defaults("compact")["dropout"]
    assert settings.augment == PARAMS.augment


def test_shortened_values_stay_in_their_range():
    kind = FloatDistribution(0.1234567, 0.7654321)
    found = Space(
        space.of(PARAMS, "compact").settings, {"model.dropout": 0.5}, {"model.dropout": kind}
    )
    ends = [found.values({"model.dropout": end})["model.dropout"] for end in (kind.low, kind.high)]
    assert kind.low <= ends[0] < 0.124
    assert 0.765 < ends[1] <= kind.high
