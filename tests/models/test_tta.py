"""What test-time augmentation shows a model, and that its answers are averaged."""

import keras
import numpy as np
import pytest
from conftest import drawn_images

from mien import models
from mien.models import tta


@pytest.fixture(scope="module")
def model() -> keras.Model:
    spec = {"arch": "simple_cnn", "width": 0.1, "classes": ["a", "b", "c"], "image_size": 48}
    return models.build(spec, seed=1)


@pytest.mark.parametrize(("kind", "count"), [("none", 1), ("flip", 2), ("crop", 10)])
def test_variants_are_as_many_as_told_all_different_and_the_image_first(kind, count):
    images, _ = drawn_images(3)
    seen = list(tta.variants(images, kind))
    np.testing.assert_array_equal(seen[0], images)
    assert len({each.tobytes() for each in seen}) == len(seen) == count
    assert all(each.shape == images.shape and each.dtype == np.uint8 for each in seen)


@pytest.mark.parametrize("kind", ["flip", "crop"])
def test_half_of_the_variants_mirror_the_others(kind):
    images, _ = drawn_images(3)
    seen = list(tta.variants(images, kind))
    for plain, mirrored in zip(seen[::2], seen[1::2], strict=True):
        np.testing.assert_array_equal(mirrored, plain[:, :, ::-1])


@pytest.mark.parametrize(("side", "pixels"), [(48, 4), (96, 8), (16, 1)])
def test_crops_are_diagonal_shifts_by_a_twelfth_of_the_side(side, pixels):
    images, _ = drawn_images(2, size=side)
    crops = list(tta.variants(images, "crop"))[2::2]
    moves = [(down, right) for down in (pixels, -pixels) for right in (pixels, -pixels)]
    inner = slice(pixels, -pixels)
    for crop, (down, right) in zip(crops, moves, strict=True):
        moved = np.roll(images, (down, right), axis=(1, 2))
        np.testing.assert_array_equal(crop[:, inner, inner], moved[:, inner, inner])
        assert not np.array_equal(crop, moved), "the border is mirrored, not wrapped"


def test_border_of_a_crop_is_mirrored():
    ramp = np.tile(np.arange(12, dtype=np.uint8), (1, 12, 1))
    seen = [each[0, 0].tolist() for each in tta.variants(ramp, "crop")]
    assert [1, *range(11)] in seen
    assert [*range(1, 12), 10] in seen


@pytest.mark.parametrize("kind", ["none", "flip", "crop"])
def test_answers_are_the_mean_over_the_variants_in_batches_of_any_size(kind, model, monkeypatch):
    images, _ = drawn_images(7)
    expected = np.mean([model.predict(each, verbose=0) for each in tta.variants(images, kind)], 0)
    monkeypatch.setattr(tta, "BATCH", 3)
    answers = tta.predict(model, images, kind, "test")
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, expected, atol=1e-6)
    assert answers.sum(axis=1) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("kind", ["flip", "crop"])
def test_a_mirror_image_gets_the_same_answer(kind, model):
    images, _ = drawn_images(4)
    answers = tta.predict(model, images, kind, "test")
    mirrored = tta.predict(model, images[:, :, ::-1], kind, "test")
    np.testing.assert_allclose(mirrored, answers, atol=1e-6)
    assert not np.allclose(
        tta.predict(model, images, "none", "test"),
        tta.predict(model, images[:, :, ::-1], "none", "test"),
        atol=1e-4,
    )


def test_memory_mapped_images_stay_as_they_are(model, tmp_path):
    images, _ = drawn_images(4)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    np.testing.assert_array_equal(
        tta.predict(model, mapped, "crop", "test"), tta.predict(model, images, "crop", "test")
    )
    np.testing.assert_array_equal(mapped, images)
