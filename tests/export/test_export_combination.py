"""An ensemble as one graph says what its combination says."""

import numpy as np
import pytest
from graphs import IMAGES, file, graph, said

from mien.ensembling.combination import combine
from mien.export.checking import checked
from mien.export.combination import combined

COMBINATIONS = {
    "mean": {},
    "weighted": {"weights": [0.7, 0.3]},
    "vote": {},
    "stacking": {
        "coefficients": np.random.default_rng(0).normal(size=(4, 8)).tolist(),
        "intercepts": [0.1, -0.2, 0.0, 0.3],
    },
}


@pytest.mark.parametrize("method", COMBINATIONS)
def test_an_ensemble_is_one_graph(method):
    archs = ["vgg", "leaky_cnn"]
    combination = {"method": method, "members": archs, "temperature": 0.6, **COMBINATIONS[method]}
    made = combined(combination, {arch: graph(arch) for arch in archs})
    expected = combine(combination, {arch: said(arch) for arch in archs})
    assert checked(file(made), IMAGES, expected) < 1e-5
    assert [output.name for output in made.graph.output] == ["probabilities"]
    # What both do with the faces is done once.
    assert sum(node.op_type == "Cast" for node in made.graph.node if "image" in node.input) == 1


def test_the_temperature_calibrates_a_single_model():
    cold = {"method": "mean", "members": ["net"], "temperature": 0.5}
    made = combined(cold, {"net": graph("compact")})
    expected = combine(cold, {"net": said("compact")})
    assert np.abs(expected - said("compact")).max() > 0.01
    assert checked(file(made), IMAGES, expected) < 1e-5
    assert [output.name for output in made.graph.output] == ["probabilities", "maps"]
