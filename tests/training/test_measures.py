"""The metrics file of a model says what it costs and how good it is."""

import numpy as np
import pytest
from conftest import CLASSES, made_faces

from mien import metrics, models
from mien.training.fitting import Trained
from mien.training.measures import measures


def test_measures_are_the_costs_and_the_scores_of_the_model_s_own_probabilities():
    spec = {"arch": "two_conv", "width": 0.25, "classes": list(CLASSES), "image_size": 48}
    model, validation = models.build(spec, seed=3), made_faces(40)
    trained = Trained(model, [{"epoch": 1.0}, {"epoch": 2.0}], seconds=9.5)
    record = {"spec": spec, "pretrained": {"weights": "none"}, "params": {"seed": 17}}
    written, probabilities = measures(trained, validation, record)
    expected = np.asarray(model(validation.images.astype(np.float32)))
    assert probabilities.dtype == np.float32
    assert probabilities == pytest.approx(expected, abs=1e-5)
    scores = metrics.score_faces(validation, probabilities, 17)
    assert written.items() >= scores.items()
    assert {key: written[key] for key in written if key not in scores} == {
        "arch": "two_conv",
        "pretrained": {"weights": "none"},
        "parameters": models.cost(model)[0],
        "multiply_adds": models.cost(model)[1],
        "epochs": 2,
    }
