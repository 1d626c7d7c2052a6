"""`data.detect_faces`: the stage `prepare` finds and cuts faces as `mien predict` does."""

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES, drawn_images, encoded
from drawn_photos import model, photo
from dvc.utils.serialize import modify_yaml
from test_prepare import hashed, lay, prepare

from mien import faces
from mien.crops import detection
from mien.errors import MienError
from mien.inference.classify import Classifier
from mien.inference.reader import Reader
from mien.preparation.splits import SPLITS

# The planted photos, and how many others every class has in every split, with one face each.
TWO, NOBODY, BROKEN, EACH = "planted/two.jpg", "planted/nobody.png", "planted/broken.jpg", 2


def whole_photos() -> pd.DataFrame:
    """Return a raw table of photos: a face in each but the planted ones."""
    rng, rows = np.random.default_rng(5), []
    for label in CLASSES:
        for number in range(EACH * len(SPLITS)):
            # Each in its own place, so that none is a copy.
            side = int(rng.integers(140, 200))
            x, y = rng.integers((320 - side, 240 - side)).tolist()
            data = encoded(photo(240, 320, (x, y, side, 0)))
            rows.append((f"{label}/{number}.png", label, SPLITS[number % 3], data))
    two = photo(400, 640, (40, 30, 160, 0), (330, 120, 240, 0))
    rows += [
        (TWO, "happy", "train", encoded(two, ".jpg")),
        (NOBODY, "sad", "train", encoded(cv2.merge([drawn_images(1, size=200)[0][0]] * 3))),
        (BROKEN, "sad", "test", b"no image"),
    ]
    return pd.DataFrame(rows, columns=["name", "label", "split", "data"])


def laid(folder: Path, raw: pd.DataFrame, detect_faces: bool = True) -> Path:
    """Write into `folder` what the stage reads, with a policy that keeps all it may."""
    lay(folder, raw, detect_faces=detect_faces)
    with modify_yaml(folder / "params.yaml") as params:
        params["audit"]["policy"] = dict.fromkeys(params["audit"]["policy"], "keep")
    return folder


@pytest.fixture(scope="module")
def settled(tmp_path_factory):
    """Return the folder of a finished run and its raw table."""
    raw = whole_photos()
    folder = laid(tmp_path_factory.mktemp("settled") / "photos", raw)
    prepare(folder)
    return folder, raw.set_index("name")


def test_each_face_is_cut_as_predict_cuts_it(settled):
    folder, raw = settled
    reader = Reader(Classifier(model(), "tiny"), detection.YuNet())
    kept = 0
    for split in SPLITS:
        of = faces.load(folder / "data/faces" / split)
        for name, image in zip(of.index["name"], of.images, strict=True):
            scene = cv2.imdecode(np.frombuffer(raw.loc[name, "data"], np.uint8), cv2.IMREAD_COLOR)
            # The largest one; all photos but one have no other.
            face = max(reader.read(scene), key=lambda face: face.box[2])
            assert np.array_equal(image, face.crop)
            kept += 1
    assert kept == len(raw) - 2
    assert TWO in list(faces.load(folder / "data/faces/train").index["name"])


def test_photos_without_a_face_are_named_and_others_counted(settled):
    folder, raw = settled
    told = json.loads((folder / "metrics/audit.json").read_text())
    assert told["detection"] == {
        "detector": detection.YuNet().name,
        "photos_with_several_faces": 1,
        "other_faces": 1,
    }
    assert (told["no_face"], told["unreadable"], told["dropped"]) == (1, 1, 2)
    assert told["images"] == len(raw) == told["kept"] + told["dropped"]
    rows = pd.read_csv(folder / "reports/audit/findings.csv").set_index("name")
    assert rows.loc[NOBODY, ["finding", "action"]].tolist() == ["no_face", "drop"]
    assert rows.loc[BROKEN, ["finding", "action"]].tolist() == ["unreadable", "drop"]
    # Before resizing it is the face that has a size, not the photo.
    size = rows.query("finding == 'resized'").loc[TWO, "detail"].split("x")
    scene = cv2.imdecode(np.frombuffer(raw.loc[TWO, "data"], np.uint8), cv2.IMREAD_COLOR)
    largest = max((face.box for face in detection.YuNet()(scene)), key=lambda box: box[2])
    assert [int(side) for side in size] == [*largest[2:]]


def test_without_it_photos_are_shrunk_whole_and_the_audit_knows_no_faces(tmp_path, monkeypatch):
    monkeypatch.setattr(detection, "YuNet", None)
    folder = laid(tmp_path / "photos", whole_photos(), detect_faces=False)
    prepare(folder)
    told = json.loads((folder / "metrics/audit.json").read_text())
    assert not {"detection", "no_face"} & set(told)
    assert (told["unreadable"], told["dropped"]) == (1, 1)
    assert "no_face" not in (folder / "reports/audit/counts.csv").read_text()


def test_the_same_photos_give_the_same_bytes(settled, tmp_path):
    again = laid(tmp_path / "again", whole_photos())
    prepare(again)
    assert hashed(again) == hashed(settled[0])


def test_photos_without_any_face_end_in_one_line(tmp_path):
    raw = whole_photos().query("name == @NOBODY")
    folder = laid(tmp_path / "none", raw)
    with pytest.raises(MienError, match="is left with no image of sad"):
        prepare(folder)
