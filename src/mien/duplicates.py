"""Duplicates: images that show the same picture, pixel for pixel or nearly."""

import sys

import cv2
import faiss
import imagehash
import numpy as np
from PIL import Image
from scipy.cluster.hierarchy import DisjointSet
from tqdm import tqdm

# Pixels of the square on which two images are compared, whatever their own size.
SIDE = 48
# Shading coarser than this many pixels says where the light and the hair are, not who it is.
DETAIL_SIGMA = 4
# Two crops of one picture may lie this many pixels apart.
SHIFT = 3
# Least correlation of the details of near-duplicates. In FER2013, of the pairs within 12 bits,
# 47 of 48 looked at between 0.75 and 0.80 were of one photograph, about 46 of 48 between 0.70
# and 0.75, 2 of 3 between 0.65 and 0.70.
CORRELATION = 0.75
# Least standard deviation of the details: correlation is noise below it.
LEAST_DETAIL = 1.0

# Queries to the index at once; bounds the memory that their answers take.
BLOCK = 1024


def hashes(images: np.ndarray) -> np.ndarray:
    """Return the perceptual hash of each image, uint8, shape (N, 8): 64 bits packed.

    pHash: signs of the lowest frequencies of the cosine transform against their median (Zauner,
    Implementation and Benchmarking of Perceptual Image Hash Functions, 2010), from imagehash.

    Args:
        images: uint8, shape (N, H, W), grey.
    """
    bits = [
        imagehash.phash(Image.fromarray(image)).hash.ravel()
        for image in tqdm(images, desc="hash", delay=2, disable=None, file=sys.stderr)
    ]
    return np.packbits(np.array(bits, bool).reshape(len(images), 64), axis=1)


def groups(images: np.ndarray, contents: np.ndarray, distance: int) -> np.ndarray:
    """Return each image's duplicate group, int64, shape (N,), dense, by first appearance.

    Images of one content are in one group; so are near-duplicates, and what they link in turn.
    Near-duplicates are pairs whose hashes differ in at most `distance` of 64 bits and whose
    details (the image less its blur) correlate by at least 0.75 at the best shift of up to 3
    pixels of 48. The hash finds candidates quickly, and the details tell different faces in
    similar light apart. A mirror image counts as a near-duplicate, for training mirrors.
    An image without detail, a blank one above all, is a near-duplicate of none.

    Args:
        images: uint8, shape (N, S, S), grey.
        contents: shape (N,); equal for images with equal pixels.
        distance: 0 to 64; the cost grows steeply above 12.
    """
    _, first, content = np.unique(contents, return_index=True, return_inverse=True)
    details = [_detail(images[row]) for row in first]
    rich = np.flatnonzero([_inner(detail).std() >= LEAST_DETAIL for detail in details])
    sets = DisjointSet(range(len(first)))
    _link(sets, rich, images[first[rich]], details, distance)
    root = np.array([sets[number] for number in range(len(first))], np.int64)[content]
    _, start, group = np.unique(root, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(start))[group]


def _detail(image: np.ndarray) -> np.ndarray:
    """Return the image less its blur, uint8 around 128, at the size of comparison."""
    if image.shape != (SIDE, SIDE):
        image = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    exact = image.astype(np.float32)  # Blurred five times faster than as integers.
    blur = cv2.GaussianBlur(exact, (0, 0), DETAIL_SIGMA)
    return cv2.addWeighted(exact, 1, blur, -1, 128, dtype=cv2.CV_8U)


def _inner(detail: np.ndarray) -> np.ndarray:
    """Return what stays inside the other image wherever it is shifted."""
    return detail[SHIFT:-SHIFT, SHIFT:-SHIFT]


def _link(
    sets: DisjointSet,
    rows: np.ndarray,
    images: np.ndarray,
    details: list[np.ndarray],
    distance: int,
) -> None:
    """Merge in `sets` the near-duplicates among `rows`, whose images are `images`."""
    codes = hashes(images)
    mirrored = hashes(images[:, :, ::-1])
    index = faiss.IndexBinaryFlat(64)
    index.add(codes)
    for start in tqdm(
        range(0, len(rows), BLOCK), desc="near-duplicates", delay=2, disable=None, file=sys.stderr
    ):
        for queries, mirror in ((codes, False), (mirrored, True)):
            # The index finds what differs in fewer bits than the radius.
            limits, _, found = index.range_search(queries[start : start + BLOCK], distance + 1)
            asked = start + np.repeat(np.arange(len(limits) - 1), np.diff(limits.astype(np.int64)))
            for one, two in zip(rows[asked], rows[found], strict=True):
                # What is linked already need not be compared: the groups stay the same.
                if (
                    one < two
                    and not sets.connected(one, two)
                    and _alike(details[one], details[two], mirror)
                ):
                    sets.merge(one, two)


def _alike(one: np.ndarray, two: np.ndarray, mirror: bool) -> bool:
    """Tell whether the details correlate at some shift, the first mirrored if `mirror`."""
    if mirror:
        one = cv2.flip(one, 1)
    return bool(cv2.matchTemplate(one, _inner(two), cv2.TM_CCOEFF_NORMED).max() >= CORRELATION)
