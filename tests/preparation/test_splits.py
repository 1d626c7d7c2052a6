from collections import Counter

import numpy as np
import pandas as pd
import pytest

from mien.errors import SourceError
from mien.preparation import splits

FRACTIONS = {"train": 0.7, "validation": 0.2, "test": 0.1}
LABELS = pd.Series(["happy"] * 300 + ["sad"] * 100)


def completed(given=None, labels=LABELS, groups=None, seed=17, parts="") -> np.ndarray:
    count = len(labels)
    return splits.complete(
        pd.Series([None] * count if given is None else given, dtype="str"),
        labels,
        pd.Series(range(count) if groups is None else groups, dtype="Int64"),
        pd.Series(parts, range(count)),
        FRACTIONS,
        seed,
    )


def drawn_groups(labels: pd.Series, seed: int = 0) -> np.ndarray:
    """Return group ids: half of the images alone, the others in groups of up to ten."""
    rng = np.random.default_rng(seed)
    groups = np.arange(len(labels))
    paired = rng.random(len(labels)) < 0.5
    groups[paired] = 1000 + rng.integers(0, 60, paired.sum())
    return groups


def test_images_without_a_split_are_spread_by_the_fractions_in_each_class():
    split = completed()
    for label, count in LABELS.value_counts().items():
        sizes = Counter(split[LABELS.eq(label).to_numpy()])
        assert sizes == {name: round(count * share) for name, share in FRACTIONS.items()}


def test_groups_stay_whole_and_the_fractions_still_hold():
    groups = drawn_groups(LABELS)
    split = completed(groups=groups)
    assert pd.Series(split).groupby(groups).nunique().eq(1).all()
    for label, count in LABELS.value_counts().items():
        for name, share in FRACTIONS.items():
            held = (split[LABELS.eq(label).to_numpy()] == name).sum()
            # Some groups hold images of the other class.
            assert held == pytest.approx(count * share, abs=10)


def test_images_of_no_group_are_alone():
    groups = [0, 0, *[None] * 398]
    split = completed(groups=groups)
    assert split[0] == split[1]
    assert Counter(split) == {"train": 280, "validation": 80, "test": 40}


def test_the_same_seed_splits_alike_and_another_does_not():
    assert np.array_equal(completed(), completed())
    assert not np.array_equal(completed(), completed(seed=18))


def test_the_splits_of_the_source_stay():
    given = np.random.default_rng(1).choice(splits.SPLITS, len(LABELS))
    assert np.array_equal(completed(given, groups=drawn_groups(LABELS)), given)


def test_a_loose_copy_joins_its_duplicates_in_test_before_validation_before_train():
    given = [None, "train", "test", None, "validation", "train", *["train"] * 394]
    groups = [0, 0, 0, 1, 1, 1, *range(2, 396)]
    split = completed(given, groups=groups)
    assert split[:6].tolist() == ["test", "train", "test", "validation", "validation", "train"]


@pytest.mark.parametrize("absent", ["validation", "test"])
def test_an_absent_split_is_carved_out_of_train(absent):
    other = {"validation": "test", "test": "validation"}[absent]
    given = np.where(np.arange(len(LABELS)) % 4 == 0, other, "train")
    split = completed(given)
    assert ((split == other) == (given == other)).all()
    share = FRACTIONS[absent] / (FRACTIONS[absent] + FRACTIONS["train"])
    for label in ("happy", "sad"):
        train = (given == "train") & LABELS.eq(label).to_numpy()
        assert (split[train] == absent).sum() == pytest.approx(share * train.sum(), abs=1)


def test_both_absent_splits_are_carved_out_of_train():
    assert Counter(completed(["train"] * 400)) == {"train": 280, "validation": 80, "test": 40}


def test_a_group_across_train_and_test_is_not_carved_into_a_third_split():
    given = np.where(np.arange(len(LABELS)) % 2 == 0, "test", "train")
    groups = np.arange(len(LABELS))
    groups[:100] //= 2
    split = completed(given, groups=groups)
    assert (split[:100] == given[:100]).all()
    assert (split == "validation").any()


def test_each_part_of_a_source_that_lacks_a_validation_split_gets_one():
    parts = np.where(np.arange(len(LABELS)) < 200, "one", "other")
    given = np.where(np.arange(len(LABELS)) % 5 == 0, "test", "train").astype(object)
    given[:200][np.arange(200) % 5 == 1] = "validation"
    split = completed(given, parts=parts)
    assert (split[:200] == given[:200]).all()
    share = FRACTIONS["validation"] / (FRACTIONS["validation"] + FRACTIONS["train"])
    assert (split[200:] == "validation").sum() == pytest.approx(160 * share, abs=2)
    assert ((split == "test") == (given == "test")).all()


def test_a_part_without_a_test_split_gets_none_beside_one_that_has_it():
    parts = np.where(np.arange(len(LABELS)) < 200, "one", "other")
    given = np.where(np.arange(len(LABELS)) % 5 == 0, "test", "train")
    given[200:] = "train"
    split = completed(given, parts=parts)
    assert ((split == "test") == (given == "test")).all()
    assert (split[200:] == "validation").any()


def test_a_class_that_validation_lacks_gets_some_of_train():
    given = np.where(np.arange(len(LABELS)) % 5 == 0, "test", "train").astype(object)
    happy = LABELS.eq("happy").to_numpy()
    given[happy & (np.arange(len(LABELS)) % 5 == 1)] = "validation"
    split = completed(given)
    assert (split[happy] == given[happy]).all()
    assert (split[~happy] == "validation").sum() == pytest.approx(80 * 0.2 / 0.9, abs=1)


def test_duplicates_and_the_images_of_a_person_are_joined():
    duplicates = pd.Series([0, 0, None, 1, 1, None, None], dtype="Int64")
    people = pd.Series(["a", None, "a", "b", "b", "c", None])
    groups = splits.joined(duplicates, people)
    together = [set(rows.index) for _, rows in groups.groupby(groups)]
    assert sorted(map(sorted, together)) == [[0, 1, 2], [3, 4], [5], [6]]
    assert splits.joined(duplicates, None) is duplicates


def test_a_source_without_train_keeps_what_it_has():
    assert set(completed(["test"] * 400)) == {"test"}


def test_large_groups_go_where_they_fit():
    # 60 of 100 images in two groups: validation and test are to hold 20 and 10.
    groups = [0] * 30 + [1] * 30 + list(range(2, 42))
    split = completed(labels=pd.Series(["happy"] * 100), groups=groups)
    assert set(split[:60]) == {"train"}
    assert Counter(split) == {"train": 70, "validation": 20, "test": 10}


def test_a_few_images_reach_every_split():
    labels = pd.Series(["happy"] * 6)
    assert set(completed(labels=labels)) == set(splits.SPLITS)


def test_a_split_without_a_class_is_refused():
    counts = {"train": {"happy": 3, "sad": 1}, "test": {"happy": 1, "sad": 0}}
    with pytest.raises(SourceError, match=r"test is left with no image of sad; add some"):
        splits.check(counts)
    splits.check({"train": counts["train"]})
