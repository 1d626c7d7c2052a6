"""The audit: each finding at its threshold, and what the policy drops."""

import cv2
import numpy as np
import pandas as pd
import pytest
from conftest import drawn_images

from mien.errors import ParamError
from mien.params import Policy
from mien.preparation import audit
from preparation.made_tables import KEEP, findings, mixed, table


def policy(**actions: str) -> Policy:
    return KEEP.model_copy(update=actions)


def of(images: pd.DataFrame, finding: str) -> list[int]:
    """Return the rows with the finding, after a check that no other one is there."""
    found = findings(images)
    assert not found.drop(columns=finding).to_numpy().any()
    return np.flatnonzero(found[finding]).tolist()


def dropped(images: pd.DataFrame, actions: Policy) -> dict[str, str]:
    reason = audit.reasons(images, findings(images), actions)
    return {name: why for name, why in zip(images["name"], reason, strict=True) if why}


def test_the_measures_are_those_of_numpy_and_opencv():
    images, _ = drawn_images(3)
    rows = audit.measures(images, pd.Series([True, True, False]))
    assert rows["mean"][0] == pytest.approx(images[0].astype(float).mean())
    assert rows["std"][1] == pytest.approx(images[1].astype(float).std())
    laplacian = cv2.filter2D(
        images[0].astype(float), -1, np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])
    )
    assert rows["sharpness"][0] == pytest.approx(laplacian.var())
    assert rows.loc[2].isna().all()


def test_blurring_lowers_the_sharpness():
    image = drawn_images(1)[0][0]
    images = np.array([cv2.GaussianBlur(image, (0, 0), sigma) for sigma in (0.5, 1, 2, 4)])
    assert audit.measures(images, pd.Series([True] * 4))["sharpness"].is_monotonic_decreasing


def test_sound_images_have_no_finding():
    assert not findings(table(5)).to_numpy().any()


@pytest.mark.parametrize(
    ("finding", "column", "values"),
    [
        ("blank", "std", [0.99, 1.0]),
        ("dark", "mean", [29.9, 30.0]),
        ("bright", "mean", [220.1, 220.0]),
        ("blurred", "sharpness", [149.9, 150.0]),
        ("colour", "spread", [5.0, 4.0]),
        ("resized", "height", [49.0, 48.0]),
        ("resized", "width", [47.0, 48.0]),
    ],
)
def test_a_finding_begins_at_its_threshold(finding, column, values):
    assert of(table(2, **{column: values}), finding) == [0]


def test_an_unreadable_image_is_that_alone():
    nothing = [120.0, np.nan]
    measured = dict.fromkeys(["height", "width", "spread", "mean", "std", "sharpness"], nothing)
    measured |= {"height": [48.0, np.nan], "width": [48.0, np.nan], "spread": [0.0, np.nan]}
    measured |= {"sharpness": [2000.0, np.nan]}
    images = table(2, readable=[True, False], content=["a", None], group=[0, None], **measured)
    assert of(images, "unreadable") == [1]
    assert dropped(images, KEEP) == {"1.png": "unreadable"}


def test_a_photo_without_a_face_is_that_alone_and_always_goes():
    nothing = {"content": ["a", None, None], "group": [0, None, None], "spread": [0, None, None]}
    images = table(3, readable=[True, False, False], faces=[1, 0, None], **nothing)
    found = findings(images)
    assert found["no_face"].tolist() == [False, True, False]
    assert found["unreadable"].tolist() == [False, False, True]
    assert dropped(images, KEEP) == {"1.png": "no_face", "2.png": "unreadable"}


def test_where_no_face_was_sought_none_is_missed():
    assert "no_face" not in findings(table(1))


def test_equal_contents_are_exact_duplicates():
    images = table(4, content=["a", "b", "a", "c"], group=[0, 1, 0, 2])
    assert of(images, "exact_duplicates") == [0, 2]


def test_near_duplicates_need_two_contents():
    assert of(table(3, group=[0, 1, 0]), "near_duplicates") == [0, 2]


def test_labels_that_disagree_in_a_group_conflict():
    found = findings(table(4, label=["happy", "sad", "sad", "sad"], group=[0, 0, 1, 1]))
    assert found["label_conflicts"].tolist() == [True, True, False, False]


@pytest.mark.parametrize("finding", ["blank", "dark", "bright", "blurred", "colour", "resized"])
def test_the_policy_drops_or_keeps_each_finding(finding):
    column, bad = {
        "blank": ("std", 0.0),
        "dark": ("mean", 1.0),
        "bright": ("mean", 250.0),
        "blurred": ("sharpness", 1.0),
        "colour": ("spread", 90.0),
        "resized": ("width", 64.0),
    }[finding]
    images = table(2)
    images.loc[1, column] = bad
    assert dropped(images, KEEP) == {}
    assert dropped(images, policy(**{finding: "drop"})) == {"1.png": finding}


def test_of_exact_duplicates_the_copy_in_test_stays_then_validation_then_the_first_name():
    images = table(
        6,
        content=["a", "a", "a", "b", "b", "c"],
        group=[0, 0, 0, 1, 1, 2],
        split=["train", "test", "validation", "train", "train", "train"],
    )
    assert dropped(images, KEEP) == {}
    assert dropped(images, policy(exact_duplicates="drop")) == dict.fromkeys(
        ["0.png", "2.png", "4.png"], "exact_duplicates"
    )


def test_of_near_duplicates_one_content_stays_with_its_exact_copies():
    images = table(
        4,
        content=["a", "b", "b", "c"],
        group=[0, 0, 0, 1],
        split=["train", "validation", "train", "test"],
    )
    assert dropped(images, policy(near_duplicates="drop")) == {"0.png": "near_duplicates"}
    both = policy(near_duplicates="drop", exact_duplicates="drop")
    assert dropped(images, both) == {"0.png": "near_duplicates", "2.png": "exact_duplicates"}


def test_of_a_group_with_disagreeing_labels_all_go():
    images = table(3, content=["a", "a", "b"], group=[0, 0, 1], label=["happy", "sad", "sad"])
    actions = policy(label_conflicts="drop", exact_duplicates="drop")
    assert dropped(images, actions) == dict.fromkeys(["0.png", "1.png"], "label_conflicts")


def test_a_sound_copy_outlives_a_dark_one_that_is_preferred():
    images = table(2, group=[0, 0], split=["test", "train"], mean=[5.0, 120.0])
    actions = policy(dark="drop", near_duplicates="drop")
    assert dropped(images, actions) == {"0.png": "dark"}


def test_after_dropping_no_duplicates_are_left():
    images = mixed()
    actions = policy(exact_duplicates="drop", near_duplicates="drop")
    reason = audit.reasons(images, findings(images), actions)
    kept = images[reason == ""]
    assert kept["group"].is_unique
    assert set(kept["group"]) == set(images["group"].dropna())


def test_all_classes_found_are_chosen_in_alphabetical_order():
    assert audit.choose(pd.Series(["sad", "happy", "sad"]), []) == ["happy", "sad"]


def test_classes_are_chosen_in_the_order_asked_for_by_any_of_their_names():
    labels = pd.Series(["sad", "happy", "fear"])
    assert audit.choose(labels, ["Sadness", "HAPPY"]) == ["sad", "happy"]


def test_a_class_the_source_lacks_is_named_with_those_it_has():
    with pytest.raises(ParamError, match=r"'fear' is no class of the source, which has happy, sad"):
        audit.choose(pd.Series(["sad", "happy"]), ["happy", "fear"])


def test_a_class_named_twice_is_refused():
    with pytest.raises(ParamError, match=r"'sad' is named twice"):
        audit.choose(pd.Series(["sad", "happy"]), ["sad", "sadness"])
