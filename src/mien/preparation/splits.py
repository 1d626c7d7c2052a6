"""Splits: which images are for training, validation and test."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mien.errors import SourceError

SPLITS = ("train", "validation", "test")
# Order of preference: which copy in a group is kept, and which split images without one join.
PREFERENCE = ("test", "validation", "train")


def complete(
    given: pd.Series,
    labels: pd.Series,
    groups: pd.Series,
    fractions: Mapping[str, float],
    seed: int,
) -> np.ndarray:
    """Return each image's split, none missing: strings, shape (N,).

    Splits from the source stay. An image without one joins the split of its duplicates, and the
    others are distributed over the three by `fractions`. Then splits without any image get images
    from train, in proportion to their fractions. Both steps are stratified by label, keep groups
    together and are random in `seed`; groups that are in several splits are not moved.

    Args:
        given: split or null for each image, N rows.
        labels: class of each image.
        groups: int, equal for duplicates; null for an image without a group.
        fractions: fraction for each split; all above 0.
        seed: seed of the random order.
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
    """Check that every split has images of every class.

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
    """Return a split for each row: groups stay together, each class in proportion to `shares`.

    From the largest group to the smallest, in random order among equals, each goes to the split in
    which its class is furthest behind: Webster's method of apportionment, which favours no split.
    """
    rows = pd.DataFrame({"label": labels, "group": groups})
    # A group counts for its most frequent label, among equals the first alphabetically.
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
