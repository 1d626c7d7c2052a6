"""Faces keep their labels through every choice of rows and through the disk."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import CLASSES, drawn_images, made_faces

from mien import faces as store
from mien.faces import BLOCK, Faces, SpooledImages

IMAGES = drawn_images(12, size=8)[0]
ROWS = {
    "a row": 3,
    "a row from NumPy": np.int64(11),
    "a slice": slice(2, 9, 3),
    "a slice beyond the end": slice(10, 50),
    "rows in any order": np.array([7, 0, 7, 11]),
    "no rows": np.array([], int),
    "rows of rows": np.array([[1, 2], [3, 4]]),
    "a mask": np.arange(12) % 5 == 0,
}


@pytest.fixture
def spooled() -> SpooledImages:
    images = SpooledImages(8)
    images.append(IMAGES[:5])
    images.append(IMAGES[5:5])
    images.append(IMAGES[5:])
    return images


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_spooled_images_are_indexed_as_an_array_is(spooled, rows):
    assert len(spooled) == len(IMAGES)
    found = spooled[rows]
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, IMAGES[rows])


@pytest.mark.parametrize("chosen", [np.array([9, 2, 2, 4]), np.arange(12) % 2 == 0])
def test_a_choice_of_spooled_images_is_indexed_as_an_array_is(spooled, chosen):
    found, expected = spooled.at(chosen), IMAGES[chosen]
    assert len(found) == len(expected)
    for rows in (1, slice(None), slice(1, 3), np.array([2, 0]), np.arange(len(expected)) > 1):
        np.testing.assert_array_equal(found[rows], expected[rows])
    again = found.at(np.array([3, 1]))
    np.testing.assert_array_equal(again[:], expected[[3, 1]])


def test_an_image_beyond_the_end_is_none_of_them(spooled):
    with pytest.raises(IndexError, match="no image 12; there are 12"):
        spooled[12]


def test_threads_read_spooled_images_at_once(spooled):
    order = np.random.default_rng(0).integers(0, 12, 400)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(spooled.__getitem__, order.tolist()))
    np.testing.assert_array_equal(found, IMAGES[order])


def test_the_codes_of_the_labels_follow_the_classes():
    faces = made_faces(8)
    assert faces.classes == CLASSES
    assert faces.labels.dtype == np.int64
    assert [CLASSES[code] for code in faces.labels] == list(faces.index["label"])


def soft(faces: Faces) -> Faces:
    """Return the faces with targets of their own."""
    targets = np.random.default_rng(1).dirichlet(np.ones(4), len(faces)).astype(np.float32)
    return Faces(faces.images, faces.index, targets)


@pytest.mark.parametrize("rows", [np.array([5, 1, 1]), np.arange(8) > 5])
def test_what_is_taken_stays_together(rows):
    faces = soft(made_faces(8))
    taken = faces.take(rows)
    np.testing.assert_array_equal(taken.images, faces.images[rows])
    np.testing.assert_array_equal(taken.targets, faces.targets[rows])
    np.testing.assert_array_equal(taken.labels, faces.labels[rows])
    assert taken.index["name"].tolist() == faces.index["name"].to_numpy()[rows].tolist()
    assert taken.index.index.tolist() == list(range(len(taken)))
    # A class without an image left is still a class.
    assert taken.classes == CLASSES
    assert made_faces(8).take(rows).targets is None


def test_soft_targets_are_the_given_ones_or_the_labels():
    faces = made_faces(8)
    hard = faces.soft_targets()
    assert hard.dtype == np.float32
    np.testing.assert_array_equal(hard.argmax(axis=1), faces.labels)
    np.testing.assert_array_equal(hard.sum(axis=1), 1)
    assert ((hard == 0) | (hard == 1)).all()
    given = soft(faces)
    np.testing.assert_array_equal(given.soft_targets(), given.targets)


@pytest.mark.parametrize("targets", [False, True])
def test_faces_come_back_from_the_disk(tmp_path, targets):
    count = BLOCK + 3
    faces = soft(made_faces(count)) if targets else made_faces(count)
    store.save(faces, tmp_path / "new/folder")
    found = store.load(tmp_path / "new/folder")
    assert isinstance(found.images, np.memmap)
    np.testing.assert_array_equal(found.images, faces.images)
    assert found.index.equals(faces.index)
    assert found.classes == CLASSES
    assert (found.targets is not None) == targets
    if targets:
        np.testing.assert_array_equal(found.targets, faces.targets)


def test_an_array_and_spooled_images_are_the_same_bytes_on_the_disk(tmp_path):
    faces = made_faces(BLOCK + 3)
    images = SpooledImages(48)
    images.append(faces.images)
    one, other = tmp_path / "array", tmp_path / "spooled"
    store.save(faces, one)
    store.save(Faces(images, faces.index), other)
    assert sorted(os.listdir(one)) == sorted(os.listdir(other))
    for name in os.listdir(one):
        digests = {hashlib.sha256((folder / name).read_bytes()).digest() for folder in (one, other)}
        assert len(digests) == 1, name
