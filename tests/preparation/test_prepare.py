"""A source with planted faults becomes three splits of grey faces, and each fault is told."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES
from dvc.utils.serialize import load_yaml
from made_source import planted, sound, write

from mien.crops.detection import Detection
from mien.errors import SourceError
from mien.faces import Faces
from mien.params import Params
from mien.preparation import prepare as module
from mien.preparation.prepare import Prepared, kept_faces, prepare
from mien.preparation.splits import SPLITS
from mien.sources import Item

VALUES = load_yaml(Path(__file__).parents[2] / "params.yaml")
THRESHOLDS = {"near_distance": 12, "dark": 20, "bright": 240, "blurred": 50}
POLICY = VALUES["audit"]["policy"]
SOURCE = [*sound(160), *planted()]


def changed(policy: dict[str, str] = POLICY, **data: object) -> Params:
    """Return the project's params with other values in `data` and another policy."""
    audit = VALUES["audit"] | THRESHOLDS | {"policy": policy}
    return Params.model_validate(VALUES | {"audit": audit, "data": VALUES["data"] | data})


def kept(prepared: Prepared) -> dict[str, Faces]:
    return dict(kept_faces(prepared))


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("source") / "raw.parquet", SOURCE)


@pytest.fixture(scope="module")
def prepared(raw) -> Prepared:
    return prepare(raw, changed(), None)


@pytest.fixture(scope="module")
def faces(prepared) -> dict[str, Faces]:
    return kept(prepared)


def test_every_planted_fault_is_found_once(prepared):
    told = prepared.summary
    singles = {"unreadable": 1, "blank": 1, "colour": 1, "resized": 1, "dark": 0, "bright": 0}
    assert {key: told[key] for key in singles} == singles
    assert told["exact_duplicates"] == {
        "groups": 2,
        "images": 4,
        "across_splits": 2,
        "across": {"train_test": 1, "train_validation": 1, "validation_test": 0},
        "label_conflicts": 1,
    }
    near = told["near_duplicates"]
    assert (near["groups"], near["images"], near["across_splits"]) == (1, 2, 1)


def test_each_dropped_image_has_its_reason(prepared):
    reasons = zip(prepared.table["name"], prepared.reason, strict=True)
    assert {name: reason for name, reason in reasons if reason} == {
        "planted/blank.png": "blank",
        "planted/broken.jpg": "unreadable",
        "planted/conflict1.png": "label_conflicts",
        "planted/conflict2.png": "label_conflicts",
        "planted/near1.png": "near_duplicates",
        "planted/same1.png": "exact_duplicates",
    }


def test_what_is_kept_and_what_is_dropped_is_all_there_was(prepared, faces):
    told = prepared.summary
    assert told["images"] == len(SOURCE) == told["kept"] + told["dropped"]
    names = [name for of in faces.values() for name in of.index["name"]]
    assert len(names) == told["kept"]
    assert set(names) == set(prepared.table.loc[prepared.reason == "", "name"])
    for split, of in faces.items():
        assert of.index["label"].value_counts().to_dict() == told["splits"][split]


def test_the_faces_are_the_grey_images_in_the_order_of_the_source(faces):
    data = {item.name: item.data for item in SOURCE}
    assert tuple(faces) == SPLITS
    for of in faces.values():
        assert of.classes == CLASSES
        assert of.index.dtypes[["group", "copy"]].tolist() == [np.int64, np.int64]
        assert of.index["name"].is_monotonic_increasing
        assert of.targets is None
        for name, image in zip(of.index["name"], of.images[:], strict=True):
            if not name.startswith("planted"):
                file = np.frombuffer(data[name], np.uint8)
                np.testing.assert_array_equal(image, cv2.imdecode(file, cv2.IMREAD_GRAYSCALE))


def test_no_duplicate_lies_across_splits(faces):
    groups = [group for of in faces.values() for group in set(of.index["group"])]
    assert max(Counter(groups).values()) == 1


def test_kept_duplicates_are_marked_where_an_earlier_split_has_them(raw):
    keep = dict.fromkeys(("exact_duplicates", "near_duplicates", "label_conflicts"), "keep")
    indices = [of.index for _, of in kept_faces(prepare(raw, changed(POLICY | keep), None))]
    seen = {name for index in indices for name in index.loc[index["seen"], "name"]}
    assert seen == {"planted/conflict2.png", "planted/near2.png", "planted/same2.bmp"}


def test_rows_are_read_a_batch_at_a_time(raw, prepared, monkeypatch):
    monkeypatch.setattr(module, "ROWS", 7)
    batches = list(module.chosen_files(raw, ["sad", "happy"]))
    assert max(map(len, batches)) <= 7
    assert [data for batch in batches for data in batch] == [
        item.data for item in SOURCE if item.label in ("sad", "happy")
    ]
    again = prepare(raw, changed(), None)
    pd.testing.assert_frame_equal(again.table, prepared.table)
    np.testing.assert_array_equal(again.images[:], prepared.images[:])


def test_votes_are_what_the_train_split_aims_at(tmp_path):
    items = [replace(item, name=f"fer2013.csv:{row:02}") for row, item in enumerate(sound(24), 1)]
    table = pd.DataFrame(0, range(24), ["happiness", "neutral", "sadness", "surprise"])
    table.loc[:11, "sadness"], table.loc[:11, "neutral"] = 6, 4
    table.to_csv(tmp_path / "votes.csv", index=False)
    params = changed(ferplus=str(tmp_path / "votes.csv"))
    made = prepare(write(tmp_path / "raw.parquet", items), params, None)
    split = kept(made)
    train = split["train"]
    voted = train.index["name"].isin([item.name for item in items[:12]]).to_numpy()
    assert voted.sum() == 4
    shares = dict(zip(CLASSES, (0, 0.4, 0.6, 0), strict=True))
    expected = np.array([shares[name] for name in CLASSES], np.float32)
    np.testing.assert_array_equal(train.targets[voted], np.tile(expected, (4, 1)))
    np.testing.assert_array_equal(train.targets[~voted], np.eye(4)[train.labels[~voted]])
    # What models are judged by stays the label.
    assert split["validation"].targets is split["test"].targets is None
    assert made.summary["votes"] == {"images": 12, "agree": 3, "none": 12}


def test_votes_follow_the_rows_of_the_source_where_classes_are_left_out(tmp_path):
    items = [replace(item, name=f"fer2013.csv:{row:02}") for row, item in enumerate(sound(24), 1)]
    # The row's number tells the share of the votes for sad.
    table = pd.DataFrame({"sadness": range(2, 26), "surprise": 50})
    table.to_csv(tmp_path / "votes.csv", index=False)
    params = changed(ferplus=str(tmp_path / "votes.csv"), classes=["sad", "surprise"])
    train = kept(prepare(write(tmp_path / "raw.parquet", items), params, None))["train"]
    rows = train.index["name"].str.extract(r":(\d+)$", expand=False).astype(int)
    assert set(train.index["label"]) == {"sad", "surprise"}
    np.testing.assert_allclose(train.targets[:, 0], (rows + 1) / (rows + 51), rtol=1e-6)


def test_chosen_classes_keep_their_order_and_the_others_are_counted(raw):
    made = prepare(raw, changed(classes=["Surprised", "happiness"]), None)
    labels = Counter(item.label for item in SOURCE)
    assert kept(made)["train"].classes == ("surprise", "happy")
    assert made.summary["other_classes"] == {name: labels[name] for name in ("neutral", "sad")}
    assert made.summary["images"] == labels["happy"] + labels["surprise"]


def test_resplitting_forgets_the_splits_and_keeps_duplicates_together(raw):
    params = changed(policy=dict.fromkeys(POLICY, "keep"), resplit=True)
    index = [of.index.assign(split=split) for split, of in kept_faces(prepare(raw, params, None))]
    whole = len(SOURCE) - 1
    for split, of in zip(SPLITS, index, strict=True):
        fraction = getattr(params.data.split, split)
        assert len(of) / whole == pytest.approx(fraction, abs=0.02)
    groups = pd.concat(index).groupby("group")["split"].agg(["size", "nunique"])
    assert groups["nunique"].max() == 1
    assert (groups["size"] == 2).sum() == 3


def test_the_detector_cuts_the_faces_and_is_named(tmp_path):
    class Half:
        """Finds the upper half of a photo, unless all of it is black."""

        name = "the upper half"

        def __call__(self, photo: np.ndarray) -> list[Detection]:
            height, width = photo.shape[:2]
            eyes_nose_mouth = np.array(
                [[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]]
            )
            found = Detection((0, 0, width, height // 2), eyes_nose_mouth * (width, height // 2))
            return [found] if photo.any() else []

    black = cv2.imencode(".png", np.zeros((48, 48), np.uint8))[1].tobytes()
    items = [*sound(24), Item("z.png", "happy", "train", black)]
    made = prepare(write(tmp_path / "raw.parquet", items), changed(), Half())
    assert made.summary["no_face"] == 1
    assert made.summary["detection"]["detector"] == "the upper half"
    assert set(made.table["height"].dropna()) == {24.0}


def test_a_class_that_a_split_lacks_is_named(tmp_path):
    items = sound(40)
    items[0] = replace(items[0], label="rare")
    source = write(tmp_path / "raw.parquet", items)
    with pytest.raises(SourceError, match="validation is left with no image of rare; add some"):
        prepare(source, changed(classes=["happy", "rare"]), None)
