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


def found(queries: np.ndarray, held: np.ndarray, distance: int) -> list[tuple[int, int]]:
    return sorted(
        (int(one), int(two))
        for band in hamming.near(queries, held, distance)
        for part in band
        for pairs in part
        for one, two in zip(*pairs, strict=True)
    )


@pytest.mark.parametrize("distance", [0, 3, 12, 30, 64])
@pytest.mark.parametrize("count", [2, 60, 900])
def test_every_pair_within_the_distance_is_found_once(count, distance):
    queries, held = codes(count, 0), codes(count, 1)
    held[::3] = queries[::3]
    far = (queries[:, None] != held[None]).sum(axis=2)
    expected = [(one, two) for one, two in np.argwhere(far <= distance).tolist() if one < two]
    assert found(queries, held, distance) == expected


def test_codes_that_are_all_alike_are_all_paired():
    same = np.zeros((300, 64), bool)
    assert len(found(same, same, 12)) == 300 * 299 / 2


def test_no_code_gives_no_pair():
    none = np.zeros((0, 64), bool)
    assert found(none, none, 12) == []
