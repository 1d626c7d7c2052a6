"""Splits: which images are for training, validation and test."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from mien.errors import SourceError

SPLITS = ("train", "validation", "test")
# Order of preference: which copy in a group is kept, and which split images without one join.
PREFERENCE = ("test", "validation", "train")


def joined(groups: pd.Series, subjects: pd.Series | None) -> pd.Series:
    """Return groups that hold duplicates together and all images of a person.

    Args:
        groups: int, equal for duplicates; null for an image of its own.
        subjects: the person in each image, null where not known; None: no person is known.
    """
    if subjects is None:
        return groups
    count = len(groups)
    edges = []
    for column in (groups, subjects):
        codes = pd.factorize(column)[0]
        known = np.flatnonzero(codes >= 0)
        # An edge to the first image with the same code.
        first = pd.Series(known).groupby(codes[known]).transform("first").to_numpy(int)
        edges.append(np.stack([known, first]))
    rows, columns = np.concatenate(edges, axis=1)
    graph = csr_array((np.ones(len(rows)), (rows, columns)), (count, count))
    return pd.Series(connected_components(graph, directed=False)[1], groups.index)


def complete(
    given: pd.Series,
    labels: pd.Series,
    groups: pd.Series,
    parts: pd.Series,
    fractions: Mapping[str, float],
    seed: int,
) -> np.ndarray:
    """Return each image's split, none missing: strings, shape (N,).

    A split that the source gives stays. An image without one joins the split of its duplicates,
    and the others are spread over the three by `fractions`. Then splits without an image are
    carved out of train, in proportion to their fractions: in every part of the source, each class
    apart, so that a set without validation gets one beside a set that has it. A test split is
    carved only if the whole source has none. All are stratified by label, keep groups together
    and are random in `seed`; groups that lie across splits are not carved.

    Args:
        given: split or null for each image, N rows.
        labels: class of each image.
        groups: int, equal for images that may not be torn apart: duplicates, or of one person;
            null for an image of its own.
        parts: the set that each image belongs to.
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
    has_test = "test" in splits
    every = parts.to_numpy(object)
    for part in sorted(set(every)):
        inside = every == part
        absent = [name for name in SPLITS if name not in splits[inside]]
        absent = [name for name in absent if name != "test" or not has_test]
        if absent:
            _carve(splits, np.flatnonzero(inside), absent, classes, group, fractions, rng)
        for label in sorted(set(classes[inside])):
            here = inside & (classes == label)
            if "validation" not in splits[here]:
                rows = np.flatnonzero(here)
                _carve(splits, rows, ["validation"], classes, group, fractions, rng)
    return splits


def _carve(
    splits: np.ndarray,
    rows: np.ndarray,
    absent: list[str],
    classes: np.ndarray,
    group: np.ndarray,
    fractions: Mapping[str, float],
    rng: np.random.Generator,
) -> None:
    """Move some of the `rows` that are in train to the `absent` splits, in `splits` itself."""
    shares = {name: fractions[name] for name in SPLITS if name == "train" or name in absent}
    free = rows[~np.isin(group[rows], group[splits != "train"])]
    splits[free] = _spread(classes[free], group[free], shares, rng)


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
