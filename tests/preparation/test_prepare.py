"""The stage as DVC runs it: raw.parquet in; faces, audit, charts and pictures out."""

import hashlib
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES, drawn_images, encoded
from dvc.utils.serialize import load_yaml, modify_yaml

from mien import faces, params
from mien.errors import MienError
from mien.preparation.splits import SPLITS

ROOT = Path(__file__).parents[1]
STAGE = ROOT / "stages/prepare.py"


def source(count: int = 160) -> pd.DataFrame:
    """Return a raw table of sound images of all classes in all splits, then planted faults."""
    images, codes = drawn_images(count)
    rows = [
        (f"{number:03d}.png", CLASSES[code], SPLITS[number // 4 % 3], encoded(image))
        for number, (image, code) in enumerate(zip(images, codes, strict=True))
    ]
    one, two, three, four, five = drawn_images(5, seed=9)[0]
    nearly = cv2.convertScaleAbs(three, alpha=0.9, beta=10)
    tinted = cv2.merge([four // 2, four, four])
    large = cv2.resize(five, (96, 80))
    rows += [
        ("planted/blank.png", "happy", "train", encoded(np.full((48, 48), 200, np.uint8))),
        ("planted/broken.jpg", "happy", "train", b"no image"),
        ("planted/colour.png", "happy", "train", encoded(tinted)),
        ("planted/conflict1.png", "happy", "train", encoded(two)),
        ("planted/conflict2.png", "sad", "test", encoded(two)),
        ("planted/large.png", "sad", "validation", encoded(large)),
        ("planted/near1.png", "neutral", "train", encoded(three)),
        ("planted/near2.png", "neutral", "test", encoded(nearly)),
        ("planted/same1.png", "sad", "train", encoded(one)),
        ("planted/same2.bmp", "sad", "validation", encoded(one, ".bmp")),
    ]
    return pd.DataFrame(rows, columns=["name", "label", "split", "data"])


def lay(folder: Path, raw: pd.DataFrame, **data: object) -> Path:
    """Write into `folder` what the stage reads; `data` overrides params.yaml's."""
    (folder / "data").mkdir(parents=True)
    raw.astype({"split": "str"}).to_parquet(folder / "data/raw.parquet", index=False)
    (folder / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    with modify_yaml(folder / "params.yaml") as params:
        params["data"].update(data)
        params["audit"].update(near_distance=12, dark=20, bright=240, blurred=50)
    return folder


def prepare(folder: Path) -> None:
    """Run the stage's main in `folder`, in this process: its imports take seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(STAGE.parent)
        runpy.run_path(str(STAGE))["main"](params.load())


def launched(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the stage in `folder` as DVC does."""
    return subprocess.run(
        [sys.executable, STAGE],
        cwd=folder,
        env={**os.environ, "DVC_STAGE": "prepare", **environment},
        capture_output=True,
        text=True,
    )


def hashed(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    folder = lay(tmp_path_factory.mktemp("prepare"), source())
    prepare(folder)
    return folder


@pytest.fixture(scope="module")
def audited(done) -> dict:
    return json.loads((done / "metrics/audit.json").read_text())


@pytest.fixture(scope="module")
def rows(done) -> pd.DataFrame:
    return pd.read_csv(done / "reports/audit/findings.csv")


def test_every_planted_fault_is_found_once(audited):
    singles = ("unreadable", "blank", "colour", "resized", "dark", "bright")
    assert {key: audited[key] for key in singles} == {
        "unreadable": 1, "blank": 1, "colour": 1, "resized": 1, "dark": 0, "bright": 0,
    }  # fmt: skip
    assert audited["exact_duplicates"] == {
        "groups": 2,
        "images": 4,
        "across_splits": 2,
        "across": {"train_test": 1, "train_validation": 1, "validation_test": 0},
        "label_conflicts": 1,
    }
    near = audited["near_duplicates"]
    assert (near["groups"], near["images"], near["across_splits"]) == (1, 2, 1)


def test_the_counts_add_up(audited, rows, done):
    assert audited["images"] == len(source()) == audited["kept"] + audited["dropped"]
    assert audited["dropped"] == (rows["action"] == "drop").sum()
    kept = {split: faces.load(done / "data/faces" / split) for split in SPLITS}
    for split, of in kept.items():
        counts = of.index["label"].value_counts()
        assert counts.to_dict() == audited["splits"][split]
    names = {name for of in kept.values() for name in of.index["name"]}
    assert len(names) == audited["kept"]
    gone = rows.loc[rows["action"] == "drop"]
    assert names == set(source()["name"]) - set(gone["name"])


def test_each_dropped_image_has_its_reason(rows):
    gone = rows[rows["action"] == "drop"].set_index("name")["finding"]
    assert gone.to_dict() == {
        "planted/blank.png": "blank",
        "planted/broken.jpg": "unreadable",
        "planted/conflict1.png": "label_conflicts",
        "planted/conflict2.png": "label_conflicts",
        "planted/near1.png": "near_duplicates",
        "planted/same1.png": "exact_duplicates",
    }


def test_the_faces_are_the_grey_images_in_the_order_of_the_source(done):
    raw = source().set_index("name")["data"]
    for split in SPLITS:
        of = faces.load(done / "data/faces" / split)
        assert of.images.dtype == np.uint8
        assert of.classes == CLASSES
        assert of.index.dtypes[["group", "copy"]].tolist() == [np.int64, np.int64]
        assert of.index["name"].is_monotonic_increasing
        for name, image in zip(of.index["name"], of.images, strict=True):
            if not name.startswith("planted"):
                decoded = cv2.imdecode(np.frombuffer(raw[name], np.uint8), cv2.IMREAD_GRAYSCALE)
                assert np.array_equal(image, decoded)


def test_no_duplicate_lies_across_splits(done):
    groups = [set(faces.load(done / "data/faces" / split).index["group"]) for split in SPLITS]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]


def test_kept_duplicates_are_marked_where_an_earlier_split_has_them(tmp_path):
    folder = lay(tmp_path / "kept", source())
    with modify_yaml(folder / "params.yaml") as content:
        kept = dict.fromkeys(("exact_duplicates", "near_duplicates", "label_conflicts"), "keep")
        content["audit"]["policy"].update(kept)
    prepare(folder)
    indices = pd.concat([faces.load(folder / "data/faces" / split).index for split in SPLITS])
    seen = set(indices.loc[indices["seen"], "name"])
    assert seen == {"planted/conflict2.png", "planted/near2.png", "planted/same2.bmp"}


def test_votes_are_what_the_train_split_aims_at(tmp_path):
    raw = source(24).iloc[:24].assign(name=[f"fer2013.csv:{row}" for row in range(1, 25)])
    table = pd.DataFrame(
        0, index=range(24), columns=["happiness", "neutral", "sadness", "surprise"]
    )
    table.loc[:11, "sadness"], table.loc[:11, "neutral"] = 6, 4
    table.to_csv(tmp_path / "votes.csv", index=False)
    folder = lay(tmp_path / "votes", raw, ferplus=str(tmp_path / "votes.csv"))
    prepare(folder)
    train = faces.load(folder / "data/faces/train")
    voted = train.index["name"].isin([f"fer2013.csv:{row}" for row in range(1, 13)]).to_numpy()
    shares = dict(zip(CLASSES, (0, 0.4, 0.6, 0), strict=True))
    expected = np.array([shares[name] for name in CLASSES], np.float32)
    assert voted.sum() == 4
    np.testing.assert_array_equal(train.targets[voted], np.tile(expected, (4, 1)))
    np.testing.assert_array_equal(train.targets[~voted], np.eye(4)[train.labels[~voted]])
    assert faces.load(folder / "data/faces/test").targets is None
    counts = json.loads((folder / "metrics/audit.json").read_text())["votes"]
    assert counts == {"images": 12, "agree": 3, "none": 12}


def test_charts_go_to_the_reports_and_faces_to_the_pictures(done):
    reports = {path.name for path in (done / "reports/audit").iterdir()}
    pictures = {path.name for path in (done / "data/pictures/prepare").iterdir()}
    assert reports == {
        "classes.png", "counts.csv", "findings.csv", "findings.png",
        "mean.png", "sharpness.png", "std.png",
    }  # fmt: skip
    assert pictures == {
        "samples.png", "mean_faces.png", "blank.png", "colour.png", "resized.png",
        "exact_duplicates.png", "near_duplicates.png", "label_conflicts.png",
    }  # fmt: skip
    for path in [*done.glob("reports/audit/*.png"), *done.glob("data/pictures/prepare/*.png")]:
        assert cv2.imread(str(path)).std() > 1


def test_the_same_source_gives_the_same_bytes(done, tmp_path):
    again = lay(tmp_path / "again", source())
    result = launched(again, PYTHONHASHSEED="7")
    assert result.returncode == 0, result.stderr
    assert hashed(again) == hashed(done)


def test_chosen_classes_keep_their_order_and_the_others_are_counted(tmp_path):
    folder = lay(tmp_path / "chosen", source(), classes=["Surprised", "happiness"])
    prepare(folder)
    numbers = json.loads((folder / "metrics/audit.json").read_text())
    labels = source()["label"].value_counts()
    assert faces.load(folder / "data/faces/train").classes == ("surprise", "happy")
    assert numbers["other_classes"] == labels[["neutral", "sad"]].to_dict()
    assert numbers["images"] == labels[["happy", "surprise"]].sum()


def test_resplitting_forgets_the_splits_and_keeps_duplicates_together(tmp_path):
    folder = lay(tmp_path / "resplit", source(), resplit=True)
    with modify_yaml(folder / "params.yaml") as params:
        params["audit"]["policy"] = dict.fromkeys(params["audit"]["policy"], "keep")
    prepare(folder)
    index = [faces.load(folder / "data/faces" / split).index for split in SPLITS]
    whole = len(source()) - 1
    fractions = load_yaml(folder / "params.yaml")["data"]["split"]
    for split, of in zip(SPLITS, index, strict=True):
        assert len(of) / whole == pytest.approx(fractions[split], abs=0.02)
    groups = pd.concat(index, keys=SPLITS, names=["split"]).reset_index("split")
    assert groups.groupby("group")["split"].nunique().max() == 1
    assert (groups["group"].value_counts() == 2).sum() == 3


def test_a_class_that_a_split_lacks_is_named(tmp_path):
    raw = source(40)
    raw.loc[0, "label"] = "rare"
    folder = lay(tmp_path / "rare", raw, classes=["happy", "rare"])
    with pytest.raises(MienError, match="validation is left with no image of rare; add some"):
        prepare(folder)


def test_a_users_mistake_is_one_line(tmp_path):
    result = launched(lay(tmp_path / "wrong", source(8), classes=["happy", "bored"]))
    assert result.returncode == 1
    assert result.stderr.startswith("prepare: data.classes: 'bored' is no class of the source")
    assert len(result.stderr.splitlines()) == 1
