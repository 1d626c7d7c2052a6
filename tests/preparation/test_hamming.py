"""The search finds what comparing all with all finds, and each pair once."""

import numpy as np
import pytest

from mien.preparation import hamming


def codes(count: int, seed: int) -> np.ndarray:
    """Return (count, 64) bits, some of them nearly always alike, with near relatives."""
    rng = np.random.default_rng(seed)
    bits = rng.random((count, 64)) < rng.uniform(0.02, 0.98, 64)
    relatives = bits[rng.integers(count, size=count // 2)].copy()
    relatives ^= rng.random(relatives.shape) < 0.12
    bits[: count // 2] = relatives
    return bits


def found(queries: np.ndarray, held: np.ndarray, distance: int) -> np.ndarray:
    """Return all pairs that the search hands over, shape (P, 2), in their order."""
    parts = [
        np.stack(pairs, axis=1)
        for band in hamming.near(queries, held, distance)
        for part in band
        for pairs in part
    ]
    pairs = np.concatenate([np.empty((0, 2), np.int64), *parts])
    return pairs[np.lexsort(pairs.T[::-1])]


@pytest.mark.parametrize("distance", [0, 3, 12, 30, 64])
@pytest.mark.parametrize("count", [2, 60, 900])
def test_every_pair_within_the_distance_is_found_once(count, distance):
    queries, held = codes(count, 0), codes(count, 1)
    held[::3] = queries[::3]
    far = (queries[:, None] != held[None]).sum(axis=2)
    np.testing.assert_array_equal(
        found(queries, held, distance), np.argwhere(np.triu(far <= distance, 1))
    )


def test_codes_that_are_all_alike_are_all_paired():
    same = np.zeros((300, 64), bool)
    assert len(found(same, same, 12)) == 300 * 299 / 2


def test_the_pairs_are_handed_over_in_bounded_parts(monkeypatch):
    monkeypatch.setattr(hamming, "HANDED", 100)
    monkeypatch.setattr(hamming, "COMPARED", 50)
    same = np.zeros((40, 64), bool)
    parts = [pairs for band in hamming.near(same, same, 0) for part in band for pairs in part]
    assert max(len(one) for one, _ in parts) < 200
    assert sum(len(one) for one, _ in parts) == 40 * 39 / 2


def test_no_code_gives_no_pair():
    none = np.zeros((0, 64), bool)
    assert len(found(none, none, 12)) == 0
