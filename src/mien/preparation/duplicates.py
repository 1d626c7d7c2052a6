"""Duplicates: images that show the same picture, pixel for pixel or nearly."""

import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from threading import Lock

import cv2
import numpy as np
import pandas as pd
import scipy.fft
from PIL import Image
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from mien.faces import BLOCK, SpooledImages
from mien.preparation import hamming

# Side in pixels at which two images are compared, whatever their own size.
SIDE = 48
# Shading coarser than this many pixels shows where light and hair are, not who it is.
DETAIL_SIGMA = 4
# Two crops of one picture may be shifted by this many pixels.
SHIFT = 3
# Minimum correlation of the details of near-duplicates. Among inspected pairs of FER2013 within 12
# bits, 47 of 48 between 0.75 and 0.80 showed the same photograph, about 46 of 48 between 0.70 and
# 0.75, and 2 of 3 between 0.65 and 0.70.
CORRELATION = 0.75
# Minimum standard deviation of the details: below it the correlation is noise.
LEAST_DETAIL = 1.0

# A first, coarse comparison uses the low frequencies of the details, up to WAVES per side: a pair
# whose correlation is below COARSE at every shift is not a near-duplicate. In FER2013 each of the
# 3,202 pairs reaches 0.78, and of 70 other pairs within 12 bits 69 stay below 0.74.
WAVES = 8
COARSE = 0.74
# Pixels at the border that fade out: the Fourier transform is periodic, a face is not.
FADE = 6

# Pairs compared at once.
PAIRS = 1024


def _fade() -> np.ndarray:
    ramp = np.sin(np.pi / 2 * (np.arange(FADE) + 0.5) / FADE) ** 2
    edge = np.concatenate([ramp, np.ones(SIDE - 2 * FADE), ramp[::-1]])
    return np.outer(edge, edge).astype(np.float32)


# Vertical and horizontal frequencies of half the plane; for a real image the other half mirrors it.
_DOWN, _ACROSS = np.mgrid[-WAVES : WAVES + 1, : WAVES + 1]
_INSIDE = (np.hypot(_DOWN, _ACROSS) <= WAVES) & (np.hypot(_DOWN, _ACROSS) > 0)
_PLACE = np.cumsum(_INSIDE).reshape(_INSIDE.shape) - 1
# For each frequency, its counterpart in the mirror image, and the phase shift there.
_MIRROR = _PLACE[::-1][_INSIDE]
_TURN = np.exp(2j * np.pi * _ACROSS[_INSIDE] / SIDE).astype(np.complex64)
# Real part of each frequency at each shift, real and imaginary parts alternating: (2 W, shifts).
_SHIFTS = np.mgrid[-SHIFT : SHIFT + 1, -SHIFT : SHIFT + 1].reshape(2, -1)
_ANGLE = 2 * np.pi / SIDE * np.stack([_DOWN[_INSIDE], _ACROSS[_INSIDE]], axis=1) @ _SHIFTS
_AT_SHIFTS = np.stack([np.cos(_ANGLE), -np.sin(_ANGLE)], axis=1).reshape(-1, _SHIFTS.shape[1])
_AT_SHIFTS = _AT_SHIFTS.astype(np.float32)


def hashes(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the perceptual hashes of the images and of their mirror images, bool, (N, 64).

    pHash: the lowest frequencies of the cosine transform compared with their median (Zauner,
    Implementation and Benchmarking of Perceptual Image Hash Functions, 2010), as in the package
    imagehash, but for many images at once.

    Args:
        images: uint8, shape (N, H, W), grey.
    """
    small = images
    for _ in range(2):  # Rows, then columns, of all images in one stack.
        count, height, width = small.shape
        stack = Image.fromarray(np.ascontiguousarray(small).reshape(count * height, width))
        stack = stack.resize((32, count * height), Image.Resampling.LANCZOS)
        small = np.asarray(stack).reshape(count, height, 32).transpose(0, 2, 1)
    low = scipy.fft.dct(small.astype(np.float64), axis=1)[:, :8]
    low = scipy.fft.dct(low, axis=2)[:, :, :8]
    # In the mirror image the odd frequencies change their sign.
    both = (waves.reshape(-1, 64) for waves in (low, low * np.array([1, -1] * 4)))
    plain, mirrored = (waves > np.median(waves, axis=1, keepdims=True) for waves in both)
    return plain, mirrored


def groups(images: np.ndarray | SpooledImages, contents: pd.Series, distance: int) -> np.ndarray:
    """Return each image's duplicate group, int64, shape (N,), numbered by first appearance.

    Images with the same content are in one group; so are near-duplicates, transitively.
    Near-duplicates are pairs whose hashes differ in at most `distance` of 64 bits and whose
    details (the image minus its blur) have a correlation of at least 0.75 at the best shift of up
    to 3 pixels of 48. The hash finds candidates quickly; the details distinguish different faces
    in similar light. A mirror image counts as a near-duplicate, because training mirrors images.
    An image without detail, such as a blank one, is not a near-duplicate of any other.

    Args:
        images: uint8, shape (N, S, S), grey.
        contents: N rows; equal for images with equal pixels; an image with null gets group -1.
        distance: 0 to 64; the cost grows steeply above 12.
    """
    # One image of each content, in an order that does not depend on the names of the images:
    # which one of a pair is shifted can decide whether they are near-duplicates.
    one_each = contents.reset_index(drop=True).dropna().drop_duplicates().sort_values()
    first = one_each.index.to_numpy()
    if not len(first):
        return np.full(len(contents), -1)
    # One thread each for linear algebra: its own threads would compete with these.
    with threadpool_limits(1), ThreadPoolExecutor() as pool:
        starts = range(0, len(first), BLOCK)
        described = pool.map(lambda start: _described(images, first[start : start + BLOCK]), starts)
        bar = tqdm(described, "hash", len(starts), delay=2, disable=None, file=sys.stderr)
        rich, plain, mirrored, waves = map(np.concatenate, zip(*bar, strict=True))
        links = _Links(images, first[rich], waves)
        searches = chain(
            ((part, False) for part in hamming.near(plain, plain, distance)),
            ((part, True) for part in hamming.near(mirrored, plain, distance)),
        )
        for parts, mirror in tqdm(searches, "near-duplicates", delay=2, disable=None):
            list(pool.map(partial(links.add, mirror=mirror), parts))
    stands, nodes = np.arange(len(first)), np.flatnonzero(rich)
    stands[nodes] = nodes[links.roots(np.arange(len(nodes)))]
    content = pd.Index(one_each).get_indexer(contents)
    group = np.full(len(contents), -1)
    group[content >= 0] = pd.factorize(stands[content[content >= 0]])[0]
    return group


def _described(
    images: np.ndarray | SpooledImages, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return which of the `rows` have detail and, for these, both hashes and the frequencies."""
    block = images[rows]
    details = np.stack([_detail(image) for image in block])
    rich = _inner(details).std(axis=(1, 2)) >= LEAST_DETAIL
    plain, mirrored = hashes(block)
    return rich, plain[rich], mirrored[rich], _waves(details[rich])


def _detail(image: np.ndarray) -> np.ndarray:
    """Return the image minus its blur, uint8 around 128, SIDE by SIDE."""
    if image.shape != (SIDE, SIDE):
        image = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    exact = image.astype(np.float32)  # Blurring is five times faster than with integers.
    blur = cv2.GaussianBlur(exact, (0, 0), DETAIL_SIGMA)
    return cv2.addWeighted(exact, 1, blur, -1, 128, dtype=cv2.CV_8U)


def _inner(details: np.ndarray) -> np.ndarray:
    """Return the part that stays inside the other image at every shift."""
    return details[..., SHIFT:-SHIFT, SHIFT:-SHIFT]


def _waves(details: np.ndarray) -> np.ndarray:
    """Return the frequencies of each image's details, scaled to a maximum of 127: int8, (N, 2 W).

    Real and imaginary parts alternate, as in a view of complex numbers.
    """
    flat = (details - details.mean(axis=(1, 2), keepdims=True, dtype=np.float32)) * _fade()
    half = scipy.fft.rfft(flat, axis=2)[:, :, : WAVES + 1]
    waves = scipy.fft.fft(half, axis=1)[:, _DOWN[:, 0]]
    waves[:, :, 1:] *= np.sqrt(2)  # For the other half of the plane.
    parts = np.ascontiguousarray(waves[:, _INSIDE]).view(np.float32)
    return np.rint(parts * 127 / np.abs(parts).max(axis=1, keepdims=True)).astype(np.int8)


class _Links:
    """Near-duplicates among the `rows` of `images`, as disjoint sets that threads merge."""

    def __init__(
        self, images: np.ndarray | SpooledImages, rows: np.ndarray, waves: np.ndarray
    ) -> None:
        self.rows = rows
        self._images, self._waves = images, waves
        # einsum needs no float copy of the whole array.
        self._length = np.sqrt(np.einsum("ij,ij->i", waves, waves, dtype=np.float32))
        self._parent = np.arange(len(rows))
        self._merging = Lock()

    def roots(self, nodes: np.ndarray) -> np.ndarray:
        """Return the representative of each node's set."""
        roots = self._parent[nodes]
        while (above := self._parent[roots])[above != roots].size:
            roots = above
        return roots

    def add(self, candidates: Iterable[hamming.Pairs], mirror: bool) -> None:
        """Merge the sets of the pairs that are near-duplicates, the first mirrored if `mirror`."""
        for ones, twos in candidates:
            for start in range(0, len(ones), PAIRS):
                one, two = ones[start : start + PAIRS], twos[start : start + PAIRS]
                # Pairs that are already linked need no comparison: the groups stay the same.
                apart = self.roots(one) != self.roots(two)
                one, two = one[apart], two[apart]
                close = self._coarse(one, two, mirror) >= COARSE
                self._compare(one[close], two[close], mirror)

    def _coarse(self, one: np.ndarray, two: np.ndarray, mirror: bool) -> np.ndarray:
        """Return the correlation of each pair's frequencies at the best shift, float32."""
        first, second = (
            self._waves[rows].astype(np.float32).view(np.complex64) for rows in (one, two)
        )
        if mirror:
            first = first[:, _MIRROR].conj() * _TURN
        best = ((first * second.conj()).view(np.float32) @ _AT_SHIFTS).max(axis=1)
        return best / (self._length[one] * self._length[two])

    def _compare(self, one: np.ndarray, two: np.ndarray, mirror: bool) -> None:
        nodes, places = np.unique([one, two], return_inverse=True)
        details = [_detail(image) for image in self._images[self.rows[nodes]]]
        for mine, other, left, right in zip(one, two, *places, strict=True):
            if _alike(details[left], details[right], mirror):
                with self._merging:
                    low, high = np.sort(self.roots(np.array([mine, other])))
                    self._parent[high] = low


def _alike(one: np.ndarray, two: np.ndarray, mirror: bool) -> bool:
    """Return whether the details correlate at some shift, the first mirrored if `mirror`."""
    if mirror:
        one = cv2.flip(one, 1)
    return bool(cv2.matchTemplate(one, _inner(two), cv2.TM_CCOEFF_NORMED).max() >= CORRELATION)
