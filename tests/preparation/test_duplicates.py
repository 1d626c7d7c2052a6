import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from mien.preparation import duplicates

DISTANCE = 12


def portraits(count: int, seed: int = 0) -> np.ndarray:
    """Return (count, 48, 48) uint8 pictures that share their light and have own details."""
    rng = np.random.default_rng(seed)

    def field(side: int) -> np.ndarray:
        blobs = cv2.resize(rng.normal(size=(side, side)), (48, 48), interpolation=cv2.INTER_CUBIC)
        return blobs / blobs.std()

    light = field(8)
    pictures = [128 + 36 * light + 24 * field(24) for _ in range(count)]
    return np.clip(pictures, 0, 255).astype(np.uint8)


def recompressed(image: np.ndarray) -> np.ndarray:
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 50])[1]
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def stamped(image: np.ndarray) -> np.ndarray:
    return cv2.putText(image.copy(), "stock", (6, 40), cv2.FONT_HERSHEY_PLAIN, 0.8, 230)


VARIANTS = {
    "recompressed": recompressed,
    "brighter": lambda image: cv2.convertScaleAbs(image, alpha=1, beta=20),
    "paler": lambda image: cv2.convertScaleAbs(image, alpha=0.6, beta=40),
    "cropped": lambda image: cv2.resize(image[1:-1, 1:-1], (48, 48)),
    "shifted": lambda image: cv2.copyMakeBorder(image[2:, 1:], 0, 2, 0, 1, cv2.BORDER_REPLICATE),
    "blurred": lambda image: cv2.GaussianBlur(image, (0, 0), 0.8),
    "stamped": stamped,
    "mirrored": lambda image: image[:, ::-1],
}


def grouped(images: np.ndarray, distance: int = DISTANCE) -> np.ndarray:
    contents = pd.Series([image.tobytes().hex() for image in images], dtype=str)
    return duplicates.groups(images, contents, distance)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_varied_copy_is_found_and_nothing_else(variant):
    originals = portraits(40)
    copies = np.array([VARIANTS[variant](image) for image in originals])
    group = grouped(np.concatenate([originals, copies]))
    found = (group[:40] == group[40:]).mean()
    assert found >= 0.9
    # Precision: no group holds two originals.
    assert len(set(group[:40])) == 40


def test_different_pictures_in_the_same_light_stay_apart():
    images = portraits(30)
    bits = duplicates.hashes(images)[0]
    apart = (bits[:, None] != bits[None]).sum(2)[np.triu_indices(30, 1)]
    assert (apart <= DISTANCE).mean() > 0.9, "the hash alone would take these for duplicates"
    assert len(set(grouped(images))) == 30


def test_the_hash_is_zauners():
    image = portraits(1)[0]
    small = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:8, :8]
    bits = duplicates.hashes(image[None])[0][0]
    assert ((low > np.median(low)).ravel() != bits).sum() <= 4


def test_equal_contents_are_one_group_even_without_detail():
    flat = np.full((3, 48, 48), 7, np.uint8)
    flat[2] = 9
    assert grouped(flat).tolist() == [0, 0, 1]


def test_blank_images_are_no_near_duplicates():
    rng = np.random.default_rng(1)
    speckled = np.array([[100], [200]] * 5, np.uint8)[..., None] + rng.integers(
        0, 2, (10, 48, 48), dtype=np.uint8
    )
    spotted = np.full((5, 48, 48), 30, np.uint8)
    spotted[np.arange(5), 0, np.arange(5)] = 255
    assert len(set(grouped(np.concatenate([speckled, spotted])))) == 15


def test_groups_are_dense_and_numbered_by_first_appearance():
    one, two, three = portraits(3)
    group = grouped(np.array([two, one, two, three, recompressed(one)]))
    assert group.tolist() == [0, 1, 0, 2, 1]


def test_near_duplicates_link_in_turn():
    image = portraits(1)[0]
    far = cv2.copyMakeBorder(image[:, 5:], 0, 0, 0, 5, cv2.BORDER_REPLICATE)
    between = cv2.copyMakeBorder(image[:, 2:], 0, 0, 0, 2, cv2.BORDER_REPLICATE)
    assert len(set(grouped(np.array([image, far]), 64))) == 2
    assert len(set(grouped(np.array([image, far, between]), 64))) == 1


def test_the_order_of_the_images_changes_no_group():
    originals = portraits(30, seed=4)
    images = np.concatenate([originals, [recompressed(image) for image in originals]])
    order = np.random.default_rng(5).permutation(60)
    assert adjusted_rand_score(grouped(images)[order], grouped(images[order])) == 1


def test_a_wider_distance_only_joins_groups():
    images = np.concatenate([portraits(20), [stamped(image) for image in portraits(20)]])
    near, wide = grouped(images, 4), grouped(images, 16)
    assert len(set(wide)) <= len(set(near))
    assert len(set(zip(near, wide, strict=True))) == len(set(near))


@pytest.mark.parametrize("size", [24, 96])
def test_other_sizes_are_compared_alike(size):
    images = np.concatenate([portraits(10), portraits(10)])
    images[10:] = [recompressed(image) for image in images[10:]]
    group = grouped(np.array([cv2.resize(image, (size, size)) for image in images]))
    assert group.tolist() == [*range(10), *range(10)]


def test_no_image_gives_no_group():
    assert grouped(np.empty((0, 48, 48), np.uint8)).tolist() == []
