"""The audit's tables and numbers add up, and tell the duplicates."""

import pandas as pd
import pytest

from mien.params import Policy
from mien.preparation import audit, audit_tables
from preparation.made_tables import CLASSES, findings, mixed, table


@pytest.mark.parametrize("action", ["keep", "drop"])
def test_the_report_accounts_for_every_finding_and_every_dropped_image(action):
    images = mixed()
    found = findings(images)
    reason = audit.reasons(images, found, Policy(**dict.fromkeys(Policy.model_fields, action)))
    rows = audit_tables.report(images, found, reason)
    numbers = audit_tables.summary(images, found, reason, CLASSES)

    assert len(rows) == found.to_numpy().sum()
    gone = rows[rows["action"] == "drop"]
    assert dict(zip(gone["name"], gone["finding"], strict=True)) == {
        name: why for name, why in zip(images["name"], reason, strict=True) if why
    }
    assert numbers["images"] == numbers["kept"] + numbers["dropped"] == len(images)
    assert numbers["dropped"] == len(gone) == sum(numbers["dropped_by"].values())
    assert numbers["kept"] == sum(sum(of.values()) for of in numbers["splits"].values())
    counts = audit_tables.counts(images, found, CLASSES)
    assert len(counts) == 3 * len(CLASSES) * found.shape[1]
    expected = rows.groupby(["finding", "split", "label"]).size()
    for row in counts.itertuples():
        assert row.count == expected.get((row.finding, row.split, row._2), 0)


def test_the_report_says_what_was_measured():
    images = table(
        8,
        mean=[5.25, *[120.0] * 7],
        width=[48.0, 64.0, *[48.0] * 6],
        std=[50.0, 50.0, 0.5, *[50.0] * 5],
        spread=[0.0, 0.0, 0.0, 80.0, *[0.0] * 4],
        group=[0, 1, 2, 3, 4, 4, 4, 5],
        content=["a", "b", "c", "d", "e", "e", "f", "g"],
        label=[*["happy"] * 5, "sad", "sad", "sad"],
        sharpness=[*[2000.0] * 7, 12.0],
    )
    found = findings(images)
    rows = audit_tables.report(images, found, pd.Series([""] * 8))
    assert list(zip(rows["name"], rows["finding"], rows["detail"], strict=True)) == [
        ("0.png", "dark", "mean 5.2"),
        ("1.png", "resized", "64x48"),
        ("2.png", "blank", "std 0.50"),
        ("3.png", "colour", "spread 80"),
        ("4.png", "label_conflicts", "happy 1, sad 2"),
        ("4.png", "exact_duplicates", "2 images"),
        ("4.png", "near_duplicates", "3 images"),
        ("5.png", "label_conflicts", "happy 1, sad 2"),
        ("5.png", "exact_duplicates", "2 images"),
        ("5.png", "near_duplicates", "3 images"),
        ("6.png", "label_conflicts", "happy 1, sad 2"),
        ("6.png", "near_duplicates", "3 images"),
        ("7.png", "blurred", "sharpness 12.0"),
    ]
    assert rows["group"].dropna().unique().tolist() == [4]


def test_groups_are_counted_with_their_images_splits_and_labels():
    images = table(
        7,
        content=["a", "a", "b", "b", "b", "c", "d"],
        group=[0, 0, 1, 1, 1, 1, 2],
        split=["train", "test", "train", "validation", "test", "train", "train"],
        label=["happy", "sad", "happy", "happy", "happy", "happy", "happy"],
    )
    found = findings(images)
    numbers = audit_tables.summary(images, found, pd.Series([""] * 7), CLASSES)
    assert numbers["exact_duplicates"] == {
        "groups": 2,
        "images": 5,
        "across_splits": 2,
        "across": {"train_validation": 1, "train_test": 2, "validation_test": 1},
        "label_conflicts": 1,
    }
    assert numbers["near_duplicates"] == {
        "groups": 1,
        "images": 4,
        "across_splits": 1,
        "across": {"train_validation": 1, "train_test": 1, "validation_test": 1},
        "label_conflicts": 0,
    }
    assert numbers["label_conflicts"] == {"groups": 1, "images": 2}


def test_photos_with_several_faces_are_counted_with_the_faces_left_out():
    class Detector:
        name = "two eyes"

    images = table(5, faces=[0, 1, 2, 4, None])
    assert audit_tables.detection(images, Detector()) == {
        "detector": "two eyes",
        "photos_with_several_faces": 2,
        "other_faces": 1 + 3,
    }
