"""Each epoch shows every image once, varied anew, in even batches."""

import numpy as np
import pytest
from conftest import made_faces

from mien import params
from mien.training.batches import Batches, mix

PARAMS = params.load()
STILL = PARAMS.augment.model_copy(update={"each_epoch": False})


def test_every_image_comes_once_an_epoch_in_batches_of_equal_size():
    batches = Batches(made_faces(50), 16, 0, STILL, seed=0, epoch=0)
    sizes = [len(batches[number][0]) for number in range(len(batches))]
    assert sizes == [13, 13, 12, 12]
    seen = np.concatenate([batches[number][0] for number in range(len(batches))])
    assert {image.tobytes() for image in seen.astype(np.uint8)} == {
        image.tobytes() for image in made_faces(50).images
    }


def test_no_two_epochs_see_the_same_pixels():
    faces = made_faces(40)
    first, again, later = (
        np.concatenate([images for images, _ in Batches(faces, 8, 0, PARAMS.augment, 0, epoch)])
        for epoch in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    repeated = {image.tobytes() for image in first} & {image.tobytes() for image in later}
    assert len(repeated) < 10


def test_mixup_blends_an_image_and_its_target_by_the_same_weight():
    images = np.arange(8, dtype=np.float32)[:, None, None] * np.ones((1, 4, 4), np.float32)
    mixed, targets = mix(images, np.eye(8, dtype=np.float32), 0.4, np.random.default_rng(0))
    assert targets.sum(axis=1) == pytest.approx(1)
    assert (np.count_nonzero(targets, axis=1) <= 2).all()
    assert mixed[:, 0, 0] == pytest.approx(targets @ np.arange(8), abs=1e-5)
    assert np.array_equal(images[:, 0, 0], np.arange(8))


@pytest.mark.parametrize(
    ("images", "batch_size", "devices", "sizes"),
    [(50, 16, 2, [14, 12, 12, 12]), (50, 16, 3, [15, 12, 12, 12]), (5, 2, 4, [4, 4])],
)
def test_batches_divide_evenly_among_the_devices(images, batch_size, devices, sizes):
    faces = made_faces(images)
    batches = Batches(faces, batch_size, 0, PARAMS.augment, 0, 0, devices)
    assert [len(batches[number][0]) for number in range(len(batches))] == sizes


def test_images_that_fill_the_last_batch_come_twice_and_differ_by_epoch():
    faces = made_faces(50)
    twice = []
    for epoch in range(2):
        seen = np.concatenate([images for images, _ in Batches(faces, 16, 0, STILL, 0, epoch, 3)])
        counts = [int((seen == image).all(axis=(1, 2)).sum()) for image in faces.images]
        assert sorted(counts) == [1] * 49 + [2]
        twice.append(counts.index(2))
    assert twice[0] != twice[1]
