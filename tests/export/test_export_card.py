"""The card tells what made the model."""

import numpy as np

from mien import metrics
from mien.export import card


def test_the_card_tells_what_made_the_model():
    def record(arch: str, rate: float) -> dict[str, object]:
        return {
            "spec": {"arch": arch, "classes": ["happy", "sad"], "image_size": 48},
            "params": {"train": {"learning_rate": rate}},
            "data": {"data/training": "11"},
            "weights_sha256": arch * 2,
        }

    records = {"train": record("vgg", 0.1), "tune_compact": record("compact", 0.2)}
    costs = {"train": (10, 100), "tune_compact": (3, 30)}
    combination = {"method": "mean", "members": ["train", "tune_compact"], "temperature": 1.2}
    probabilities = np.array([[0.8, 0.2], [0.3, 0.7]])
    score = metrics.score(np.array([0, 1]), probabilities, ["happy", "sad"], 0)
    made = card.card(records, costs, combination, validation=score, test=score)
    assert (made["arch"], made["parameters"], made["multiply_adds"]) == ("ensemble", 13, 130)
    assert made["members"]["train"]["weights_sha256"] == "vggvgg"
    assert (made["temperature"], made["data"]) == (1.2, {"data/training": "11"})
    assert made["metrics"]["validation"]["ece"] == score["ece"]
    assert made["metrics"]["test"]["accuracy_low"] == score["accuracy_low"]
    assert "ece" not in made["metrics"]["test"]

    def of(name: str) -> dict[str, object]:
        alone = combination | {"members": [name]}
        return card.card(records, costs, alone, validation=score, test=score)

    assert (of("train")["arch"], of("train")["parameters"]) == ("vgg", 10)
    assert of("train")["params_sha256"] != of("tune_compact")["params_sha256"]
