"""Pairs of 64-bit codes that differ in few bits, found without comparing all pairs.

Multi-index hashing (Norouzi et al., Fast Search in Hamming Space with Multi-Index Hashing, CVPR
2012): the bits are divided into bands, and a pair within the distance is close in at least one
band, where an index finds it. The radii of the bands differ by at most one, so that together they
just exceed the distance (Qin et al., GPH, ICDE 2018).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

# Codes compared at once, and pairs yielded at once; both bound the memory.
COMPARED, HANDED = 2**18, 2**16
# Tasks per band, for threads to share.
PARTS = 64

Pairs = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class _Band:
    """Adjacent bits of a code, and the number of them in which a pair found here may differ."""

    shift: int
    width: int
    radius: int

    def of(self, codes: np.ndarray) -> np.ndarray:
        """Return the band's bits of each code, uint64."""
        return codes >> np.uint64(self.shift) & np.uint64(2**self.width - 1)


class _Index:
    """Codes sorted by their bits in a band."""

    def __init__(self, codes: np.ndarray, band: _Band) -> None:
        keys = band.of(codes)
        self.order = np.argsort(keys, kind="stable")
        self.codes = codes[self.order]
        self.starts = np.searchsorted(keys[self.order], np.arange(2**band.width + 1))


def near(queries: np.ndarray, codes: np.ndarray, distance: int) -> Iterator[list[Iterator[Pairs]]]:
    """Yield, band by band, iterators over pairs of rows (one, two), for threads to share.

    Together they yield each pair with one < two whose `queries[one]` and `codes[two]` differ in
    at most `distance` bits exactly once.

    Args:
        queries: bool, shape (N, 64).
        codes: likewise.
        distance: 0 to 64.
    """
    if not len(codes):
        return
    # About 16 codes per bucket: with fewer, finding the buckets costs more than comparing.
    number = round(64 / np.clip(np.log2(len(codes)) - 4, 4, 16))
    # Each band gets a share of the bits with little information, in which nearly all codes agree.
    telling = np.argsort(np.abs(codes.mean(axis=0) - 0.5), kind="stable")
    deal = [telling[place::number] for place in range(number)]
    order = np.concatenate(deal)
    queries, codes = _packed(queries[:, order]), _packed(codes[:, order])
    ends = np.cumsum([len(bits) for bits in deal])
    least, more = divmod(distance + 1, number)
    bands = [
        _Band(64 - int(end), len(bits), least + (place < more) - 1)
        for place, (end, bits) in enumerate(zip(ends, deal, strict=True))
    ]
    for place, band in enumerate(bands):
        asked, held = _Index(queries, band), _Index(codes, band)
        buckets = np.flatnonzero(np.diff(asked.starts)).astype(np.uint64)
        yield [
            _pairs(queries, codes, distance, bands[: place + 1], asked, held, part)
            for part in np.array_split(buckets, PARTS)
            if len(part)
        ]


def _packed(bits: np.ndarray) -> np.ndarray:
    """Return the 64 bits of each row as one uint64."""
    return np.frombuffer(np.packbits(bits, axis=1).tobytes(), ">u8").astype(np.uint64)


def _pairs(
    queries: np.ndarray,
    codes: np.ndarray,
    distance: int,
    bands: list[_Band],
    asked: _Index,
    held: _Index,
    buckets: np.ndarray,
) -> Iterator[Pairs]:
    """Yield the pairs of some `buckets` that the last of `bands` finds and no earlier one."""
    *earlier, band = bands
    every = np.arange(2**band.width, dtype=np.uint64)
    reach = every[np.bitwise_count(every) <= band.radius]
    found: list[Pairs] = []
    count = 0

    def handed() -> Pairs:
        one, two = (np.concatenate(rows) for rows in zip(*found, strict=True))
        differing = queries[one] ^ codes[two]
        fresh = one < two
        for other in earlier:
            fresh &= np.bitwise_count(other.of(differing)) > other.radius
        return one[fresh], two[fresh]

    for bucket in buckets:
        around = bucket ^ reach
        starts, ends = held.starts[around], held.starts[around + np.uint64(1)]
        sizes = ends - starts
        # All indices from starts to ends in one array.
        places = np.repeat(ends - np.cumsum(sizes), sizes) + np.arange(sizes.sum())
        if not len(places):
            continue
        others = held.codes[places]
        stop = asked.starts[bucket + np.uint64(1)]
        step = max(1, COMPARED // len(places))
        for start in range(asked.starts[bucket], stop, step):
            mine = asked.codes[start : min(start + step, stop), None]
            hits = np.flatnonzero(np.bitwise_count(mine ^ others) <= distance)
            one, two = np.divmod(hits, len(places))
            found.append((asked.order[start + one], held.order[places[two]]))
            count += len(hits)
            if count >= HANDED:
                yield handed()
                found, count = [], 0
    if found:
        yield handed()
