"""The registry knows the files of the architectures, and what each of them takes."""

import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import drawn_images
from nets import NAMES, built, spec

from mien import models
from mien.errors import ParamError
from mien.models import registry

# Prints the names, then what reading the files of the architectures has imported.
READ = """
import sys
from mien.models import registry
before = set(sys.modules)
print(*registry.names())
print(*[registry.source(registry.known(name)) for name in registry.names()], sep="|")
registry.measured_costs()
print(*set(sys.modules) - before)
assert "keras" not in sys.modules
"""


def test_names_sources_and_costs_are_read_without_importing_anything():
    done = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, check=True)
    names, sources, imported = done.stdout.split("\n")[:3]
    assert names.split() == NAMES
    assert sources.split("|") == [registry.module(name).SOURCE for name in NAMES]
    assert imported == ""


@pytest.mark.parametrize("ask", [registry.known, registry.source, registry.defaults])
def test_an_unknown_name_is_answered_with_the_known_ones(ask):
    with pytest.raises(ValueError, match="unknown architecture 'vgg9'; one of") as caught:
        ask("vgg9")
    assert str(caught.value).endswith(", ".join(NAMES))


def test_the_learning_rate_is_the_file_s_or_that_of_most():
    assert registry.learning_rate("vgg16") == registry.module("vgg16").LEARNING_RATE
    assert registry.learning_rate("vgg16") < registry.learning_rate("compact")
    assert not hasattr(registry.module("compact"), "LEARNING_RATE")
    assert registry.learning_rate("compact") == registry.LEARNING_RATE


def test_a_folder_gives_its_model_back(tmp_path):
    changed = spec("resnet", width=0.25, depth=1, attention="se", dropout=None, weights="none")
    model = models.build(changed, seed=3)
    (tmp_path / "record.json").write_text(json.dumps({"spec": changed}))
    model.save_weights(tmp_path / "model.weights.h5")
    images = drawn_images(4)[0]
    loaded = models.load(tmp_path).predict(images, verbose=0)
    assert np.array_equal(loaded, model.predict(images, verbose=0))


def test_bytes_and_floats_are_read_alike():
    images = drawn_images(4)[0]
    predict = built("compact").predict
    assert np.array_equal(predict(images, verbose=0), predict(images.astype(np.float32), verbose=0))


def test_an_option_that_a_net_does_not_take_is_answered_with_those_it_takes():
    with pytest.raises(ParamError) as caught:
        models.check(spec("vgg16", width=2.0))
    assert str(caught.value) == (
        "model.width: vgg16 has no such option, got 2.0; leave it at 1.0; "
        "it takes dropout, dense, side, weights, unfreeze"
    )
    with pytest.raises(ParamError, match=r"model.weights: compact has .* leave it at \"none\""):
        models.check(spec("compact", weights="imagenet"))


def test_values_that_leave_the_choice_to_the_net_fit_all():
    for name in NAMES:
        models.check(spec(name, **models.OPTIONS))
