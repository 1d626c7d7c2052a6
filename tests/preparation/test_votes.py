"""FER+ votes, made up, joined to the rows of a table and to what training aims at."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import made_faces
from dvc.utils.serialize import load_yaml

from mien import faces as store
from mien.errors import ParamError
from mien.faces import Faces
from mien.params import Augment
from mien.preparation import votes
from mien.training.augmentation import training_set
from mien.training.batches import Batches

CLASSES = ("happy", "neutral", "sad")
# Ten votes on each of three rows, in the columns of the published file.
TABLE = """Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown
Training,fer0.png,4,6,0,0,0,0,0,0,0
Training,fer1.png,2,0,5,2,0,0,0,0,1
Training,,1,1,0,1,0,0,0,0,7
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "fer2013new.csv").write_text(TABLE)
    return tmp_path / "fer2013new.csv"


def names(*rows: int) -> pd.Series:
    return pd.Series([f"set/fer2013.csv:{row}" for row in rows])


def test_shares_follow_the_rows_whatever_their_order(path):
    shares = votes.read(path, names(2, 1, 3), CLASSES)
    expected = [[0, 0.5, 0.5], [0.6, 0.4, 0], [0, 0, 0]]
    np.testing.assert_allclose(shares, expected, atol=1e-7)
    assert shares.dtype == np.float32


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (TABLE.replace("happiness", "joy"), "no column for happy"),
        (TABLE + TABLE.splitlines()[1], "has 4 rows, the source 3"),
        (TABLE.replace(",4,6,", ",4,many,"), "row 1: expected counts of votes"),
        (TABLE.replace(",4,6,", ",-4,6,"), "row 1: expected counts of votes"),
        ("", "cannot be read"),
    ],
)
def test_a_wrong_table_is_named(path, table, said):
    path.write_text(table)
    with pytest.raises(ParamError, match=said):
        votes.read(path, names(1, 2, 3), CLASSES)


def test_a_source_without_rows_is_refused(path):
    with pytest.raises(ParamError, match="FER2013 as one CSV"):
        votes.read(path, pd.Series(["train/happy/1.png"]), CLASSES)


def test_a_single_vote_does_not_count_nor_does_one_for_another_class(path):
    # The third row: one vote each for neutral, happy and sad, seven for none of the three.
    path.write_text(TABLE.replace("1,1,0,1,0,0,0,0,7", "1,2,0,1,6,0,0,0,0"))
    np.testing.assert_array_equal(votes.read(path, names(1, 2, 3), CLASSES)[2], [1, 0, 0])


def test_targets_are_the_votes_or_without_any_the_label():
    shares = np.array([[0.6, 0.4, 0], [0, 0.5, 0.5], [0, 0, 0], [0, 0, 1]], np.float32)
    labels = pd.Series(["happy", "happy", "happy", "sad"], index=[7, 8, 9, 10])
    targets, counts = votes.targets(shares, labels, CLASSES)
    np.testing.assert_array_equal(targets, [shares[0], shares[1], [1, 0, 0], shares[3]])
    assert targets.dtype == np.float32
    assert counts == {"images": 3, "agree": 2, "none": 1}


def test_votes_reach_the_batches_through_copies_and_the_disk(tmp_path):
    faces = made_faces(40)
    shares = np.random.default_rng(2).dirichlet(np.ones(4), 40).astype(np.float32)
    shares[::5] = 0
    given, _ = votes.targets(shares, faces.index["label"], faces.classes)
    values = load_yaml(Path(__file__).parents[2] / "params.yaml")["augment"]
    augment = Augment.model_validate(values | {"copies": 1, "each_epoch": False})
    voted = Faces(faces.images, faces.index, given)
    store.save(training_set(voted, augment, seed=0), tmp_path)
    training = store.load(tmp_path)
    np.testing.assert_array_equal(training.targets, np.tile(given, (2, 1)))
    # No two images are alike, so that each one tells its target.
    targets = {
        image.tobytes(): target
        for image, target in zip(training.images, training.targets, strict=True)
    }
    batches = Batches(training, 32, 0.0, augment, seed=0, epoch=0)
    for images, learnt in (batches[number] for number in range(len(batches))):
        for image, target in zip(images, learnt, strict=True):
            np.testing.assert_array_equal(target, targets.pop(image.astype(np.uint8).tobytes()))
    assert not targets


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ParamError, match=r"absent.csv cannot be read"):
        votes.read(tmp_path / "absent.csv", names(1), CLASSES)
