"""Labels in doubt: found where they were planted, with the right class suggested."""

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES, made_faces

from mien.faces import Faces
from mien.params import Labels
from mien.preparation import suspects

COUNT, WRONG = 200, np.arange(0, 200, 20)


@pytest.fixture(scope="module")
def judged() -> tuple[Faces, np.ndarray, np.ndarray]:
    """Faces of which ten have a wrong label, what nets that know better say, and the truth."""
    faces = made_faces(COUNT)
    truth = faces.labels
    codes = truth.copy()
    codes[WRONG] = (codes[WRONG] + 1) % len(CLASSES)
    faces.index["label"] = pd.Categorical.from_codes(codes, categories=list(CLASSES))
    probabilities = 0.75 * np.eye(len(CLASSES))[truth] + 0.25 / len(CLASSES)
    # Confident learning takes what the nets are surer of than of the average image of that class.
    # The surer they are here, the more they leave to the label too.
    order = np.arange(len(WRONG))
    probabilities[WRONG] = 0
    probabilities[WRONG, truth[WRONG]] = 0.85 + 0.01 * order
    probabilities[WRONG, codes[WRONG]] = 0.02 + 0.001 * order
    probabilities[WRONG, (truth[WRONG] + 2) % len(CLASSES)] = 0.13 - 0.011 * order
    return faces, probabilities.astype(np.float32), truth


def test_planted_wrong_labels_are_found_with_the_right_class(judged):
    faces, probabilities, truth = judged
    found = suspects.find(faces, probabilities)
    assert list(found.columns) == suspects.COLUMNS
    assert sorted(found["row"]) == WRONG.tolist()
    assert found["suggested"].tolist() == [CLASSES[truth[row]] for row in found["row"]]
    assert found["label"].tolist() == faces.index["label"][found["row"]].tolist()
    assert found["name"].tolist() == faces.index["name"][found["row"]].tolist()


def test_the_likeliest_to_be_wrong_come_first(judged):
    faces, probabilities, truth = judged
    found = suspects.find(faces, probabilities)
    # By the confidence in the label, not by how far it is behind.
    assert found["row"].tolist() == WRONG.tolist()
    np.testing.assert_array_equal(
        found["confidence"], probabilities[found["row"], faces.labels[found["row"]]]
    )
    np.testing.assert_array_equal(
        found["suggested_confidence"], probabilities[found["row"], truth[found["row"]]]
    )


def test_the_summary_counts_the_pairs_and_how_often_the_nets_agree_with_the_labels(judged):
    faces, probabilities, _ = judged
    found = suspects.find(faces, probabilities)
    told = suspects.summary(faces, probabilities, found)
    # Each twentieth image is happy, and was called neutral.
    assert told == {
        "images": COUNT,
        "out_of_fold_accuracy": 1 - len(WRONG) / COUNT,
        "suspects": len(WRONG),
        "pairs": {"neutral as happy": len(WRONG)},
    }


def test_the_nets_are_trained_by_a_recipe_of_their_own():
    labels = Labels(action="list", arch="two_conv", folds=3, epochs=7)
    recipe = suspects.recipe(labels)
    assert (recipe.epochs, recipe.folds) == (7, 3)
    # Smoothed targets would make the nets unsure of all labels alike.
    assert recipe.label_smoothing == 0
