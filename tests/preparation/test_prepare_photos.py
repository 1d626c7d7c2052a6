"""`data.detect_faces`: prepare finds and cuts the faces of whole photos as `mien predict` does."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import CLASSES, drawn_images, encoded
from drawn_photos import model, photo
from dvc.utils.serialize import load_yaml
from made_source import write

from mien.crops import detection
from mien.inference.classify import Classifier
from mien.inference.reader import Reader
from mien.params import Params
from mien.preparation import audit_tables
from mien.preparation.prepare import Prepared, kept_faces, prepare
from mien.preparation.splits import SPLITS
from mien.sources import Item

# The planted photos, and how many others every class has in every split, with one face each.
TWO, NOBODY, BROKEN, EACH = "planted/two.jpg", "planted/nobody.png", "planted/broken.jpg", 2


def whole_photos() -> list[Item]:
    """Return photos with a face in each but two of the planted ones."""
    rng, items = np.random.default_rng(5), []
    for label in CLASSES:
        for number in range(EACH * len(SPLITS)):
            # Each in its own place, so that none is a copy.
            side = int(rng.integers(140, 200))
            x, y = rng.integers((320 - side, 240 - side)).tolist()
            data = encoded(photo(240, 320, (x, y, side, 0)))
            items.append(Item(f"{label}/{number}.png", label, SPLITS[number % 3], data))
    two = photo(400, 640, (40, 30, 160, 0), (330, 120, 240, 0))
    nobody = cv2.merge([drawn_images(1, size=200)[0][0]] * 3)
    return [
        *items,
        Item(BROKEN, "sad", "test", b"no image"),
        Item(NOBODY, "sad", "train", encoded(nobody)),
        Item(TWO, "happy", "train", encoded(two, ".jpg")),
    ]


PHOTOS = whole_photos()


@pytest.fixture(scope="module")
def yunet() -> detection.YuNet:
    return detection.YuNet()


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("photos") / "raw.parquet", PHOTOS)


@pytest.fixture(scope="module")
def params() -> Params:
    """The project's params, with a policy that keeps all it may."""
    values = load_yaml(Path(__file__).parents[2] / "params.yaml")
    values["audit"]["policy"] = dict.fromkeys(values["audit"]["policy"], "keep")
    return Params.model_validate(values)


@pytest.fixture(scope="module")
def prepared(raw, params, yunet) -> Prepared:
    return prepare(raw, params, yunet)


def test_each_face_is_cut_as_predict_cuts_it(prepared, yunet):
    reader = Reader(Classifier(model(), "tiny"), yunet)
    data = {item.name: item.data for item in PHOTOS}
    kept = []
    for _, of in kept_faces(prepared):
        for name, image in zip(of.index["name"], of.images[:], strict=True):
            scene = cv2.imdecode(np.frombuffer(data[name], np.uint8), cv2.IMREAD_COLOR)
            # The largest one; all photos but one have no other.
            face = max(reader.read(scene), key=lambda face: face.box[2])
            np.testing.assert_array_equal(image, face.crop)
            kept.append(name)
    assert set(kept) == set(data) - {NOBODY, BROKEN}


def test_photos_without_a_face_are_named_and_others_counted(prepared, yunet):
    told = prepared.summary
    assert told["detection"] == {
        "detector": yunet.name,
        "photos_with_several_faces": 1,
        "other_faces": 1,
    }
    assert (told["no_face"], told["unreadable"], told["dropped"]) == (1, 1, 2)
    assert told["images"] == len(PHOTOS) == told["kept"] + told["dropped"]
    rows = audit_tables.report(prepared.table, prepared.found, prepared.reason).set_index("name")
    assert rows.loc[NOBODY, ["finding", "action"]].tolist() == ["no_face", "drop"]
    assert rows.loc[BROKEN, ["finding", "action"]].tolist() == ["unreadable", "drop"]
    # Before resizing it is the face that has a size, not the photo.
    size = rows[rows["finding"] == "resized"].loc[TWO, "detail"].split("x")
    (data,) = (item.data for item in PHOTOS if item.name == TWO)
    scene = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    largest = max((face.box for face in yunet(scene)), key=lambda box: box[2])
    assert [int(side) for side in size] == [*largest[2:]]


def test_without_a_detector_photos_are_shrunk_whole_and_the_audit_knows_no_faces(raw, params):
    made = prepare(raw, params, None)
    assert not {"detection", "no_face"} & set(made.summary)
    assert "no_face" not in made.found
    assert (made.summary["unreadable"], made.summary["dropped"]) == (1, 1)
    assert made.table.set_index("name").loc[TWO, ["height", "width"]].tolist() == [400, 640]


def test_the_same_photos_give_the_same_faces(raw, params, prepared, yunet):
    again = prepare(raw, params, yunet)
    assert again.summary == prepared.summary
    np.testing.assert_array_equal(again.images[:], prepared.images[:])
