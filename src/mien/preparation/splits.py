"""Splits: which image trains, which validates and which tests."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mien.errors import SourceError

SPLITS = ("train", "validation", "test")
# Of a group's copies the one in the first of these is kept, and loose copies join it.
PREFERENCE = ("test", "validation", "train")


def complete(
    given: pd.Series,
    labels: pd.Series,
    groups: pd.Series,
    fractions: Mapping[str, float],
    seed: int,
) -> np.ndarray:
    """Return each image's split, none missing: strings, shape (N,).

    A split that the source gives stays. An image without one joins the split of its duplicates,
    and the others are spread over the three by `fractions`. Then splits with no image are carved
    out of train, in proportion to their fractions. Both are stratified by label, keep groups
    together and are random in `seed`; groups that lie across splits are not carved.

    Args:
        given: split or null of each image, N rows.
        labels: class of each image.
        groups: int, equal for duplicates; null for an image of its own.
        fractions: share of each split; all above 0.
        seed: of the random order.
    """
    rng = np.random.default_rng((seed,))
    classes = labels.to_numpy(object)
    own = pd.Series(-1 - np.arange(len(groups)), groups.index)
    group = groups.astype("Int64").fillna(own).to_numpy(np.int64)
    loose = given.isna().to_numpy()
    splits = given.to_numpy(object, copy=True)
    for name in reversed(PREFERENCE):
        splits[loose & np.isin(group, group[given == name])] = name
    rows = np.flatnonzero(pd.isna(splits))
    splits[rows] = _spread(classes[rows], group[rows], fractions, rng)
    absent = [name for name in SPLITS if name not in splits]
    shares = {name: fractions[name] for name in SPLITS if name == "train" or name in absent}
    if absent:
        rows = np.flatnonzero(~np.isin(group, group[splits != "train"]))
        splits[rows] = _spread(classes[rows], group[rows], shares, rng)
    return splits


def check(counts: Mapping[str, Mapping[str, int]]) -> None:
    """Refuse splits in which a class has no image.

    Raises:
        SourceError: one of `counts`, by split and class, is 0.
    """
    for split, by_class in counts.items():
        if lacking := [label for label, count in by_class.items() if count == 0]:
            raise SourceError(
                f"every split needs every class, {split} is left with no image of "
                f"{', '.join(lacking)}; add some, change data.classes, or set data.resplit: true"
            )


def _spread(
    labels: np.ndarray, groups: np.ndarray, shares: Mapping[str, float], rng: np.random.Generator
) -> np.ndarray:
    """Return a split for each row: groups whole, each class in proportion to `shares`.

    From the largest group to the smallest, in random order among equals, each goes where its
    class is furthest behind: Webster's method of apportionment, which has no bias to any split.
    """
    rows = pd.DataFrame({"label": labels, "group": groups})
    # A group counts for its commonest label, the first in the alphabet among equals.
    counts = rows.value_counts(sort=False).reset_index(name="count")
    counts = counts.sort_values(["group", "count", "label"], ascending=[True, False, True])
    strata = counts.drop_duplicates("group").set_index("group")["label"]
    sizes = rows["group"].value_counts().reindex(strata.index)
    chosen: dict[int, str] = {}
    names = list(shares)
    quota = np.array([shares[name] for name in names])
    for _, stratum in sizes.groupby(strata):
        shuffled = stratum.iloc[rng.permutation(len(stratum))]
        filled = np.zeros(len(names))
        for group, size in shuffled.sort_values(ascending=False, kind="stable").items():
            place = int(np.argmin((filled + size / 2) / quota))
            filled[place] += size
            chosen[group] = names[place]
    return rows["group"].map(chosen).to_numpy(object)
