"""Corruptions: each does what it says, more so with each severity, the same for the same seed."""

import numpy as np
import pytest
from conftest import drawn_images
from scipy.ndimage import gaussian_filter

from mien.evaluation.corruptions import CORRUPTIONS, corrupt

IMAGES, _ = drawn_images(40)
IMAGES.setflags(write=False)
SEVERITIES = (1, 2, 3)
DRAWN = {"noise", "rotation", "occlusion"}


def grey(level: int, count: int = 60, size: int = 48) -> np.ndarray:
    return np.full((count, size, size), level, np.uint8)


def levels(name: str) -> list[tuple[int, float]]:
    return list(enumerate(CORRUPTIONS[name].levels, 1))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_severity_is_farther_from_the_clean_images(name):
    distances = [
        np.abs(corrupt(IMAGES, name, severity, 1).astype(int) - IMAGES).mean()
        for severity in SEVERITIES
    ]
    assert len(CORRUPTIONS[name].levels) == len(SEVERITIES)
    assert 0 < distances[0] < distances[1] < distances[2]


@pytest.mark.parametrize("size", [32, 48])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_shape_and_type_stay(name, size):
    images, _ = drawn_images(3, size=size)
    for severity in SEVERITIES:
        found = corrupt(images, name, severity, 1)
        assert (found.dtype, found.shape) == (np.uint8, images.shape)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_draws_derive_from_seed_corruption_and_severity(name):
    first = corrupt(IMAGES, name, 2, 1)
    np.random.default_rng(0).random()
    np.testing.assert_array_equal(corrupt(IMAGES, name, 2, 1), first)
    assert (corrupt(IMAGES, name, 2, 2) != first).any() == (name in DRAWN)


@pytest.mark.parametrize(("severity", "level"), levels("blur"))
def test_blur_is_scipys_gaussian_filter(severity, level):
    expected = [gaussian_filter(image.astype(float), 48 * level, mode="mirror") for image in IMAGES]
    assert np.abs(corrupt(IMAGES, "blur", severity, 1) - np.array(expected)).max() < 2


@pytest.mark.parametrize(("severity", "level"), levels("noise"))
def test_noise_has_its_standard_deviation_and_stays_in_range(severity, level):
    found = corrupt(grey(128), "noise", severity, 1).astype(float)
    assert found.std() == pytest.approx(level, rel=0.02)
    assert found.mean() == pytest.approx(128, abs=0.5)
    # Wrapped around, black would become white.
    assert corrupt(grey(0), "noise", severity, 1).max() < 6 * level
    assert corrupt(grey(255), "noise", severity, 1).min() > 255 - 6 * level


def test_noise_of_another_severity_is_another_draw():
    mild, severe = (corrupt(grey(128), "noise", step, 1).ravel() - 128.0 for step in (1, 3))
    assert abs(np.corrcoef(mild, severe)[0, 1]) < 0.05


@pytest.mark.parametrize(("severity", "level"), levels("darkness"))
def test_darkness_multiplies(severity, level):
    ramp = np.tile(np.arange(256, dtype=np.uint8), (2, 256, 1))
    assert np.abs(corrupt(ramp, "darkness", severity, 1) - ramp * level).max() <= 0.5 + 1e-4


@pytest.mark.parametrize(("severity", "level"), levels("rotation"))
def test_rotation_turns_a_spot_about_the_centre_to_either_side(severity, level):
    images = grey(0)
    images[:, 22:26, 30:34] = 255
    found = corrupt(images, "rotation", severity, 1).astype(float)
    rows, columns = np.indices((48, 48)) - 23.5
    down, right = ((found * axis).sum((1, 2)) / found.sum((1, 2)) for axis in (rows, columns))
    angles = np.rad2deg(np.arctan2(down, right))
    assert np.abs(angles) == pytest.approx(level, abs=0.7)
    assert 15 < (angles > 0).sum() < 45
    assert np.hypot(down, right) == pytest.approx(8, abs=0.2)


@pytest.mark.parametrize(("severity", "level"), levels("occlusion"))
def test_occlusion_is_one_black_square_inside_each_image(severity, level):
    black = corrupt(grey(255), "occlusion", severity, 1) == 0
    areas = black.sum((1, 2))
    assert len(set(areas)) == 1
    assert areas[0] / 48**2 == pytest.approx(level, abs=0.01)
    heights, widths = black.any(axis=2).sum(axis=1), black.any(axis=1).sum(axis=1)
    assert (heights == widths).all()
    assert (heights * widths == areas).all()
    assert len(np.unique(black.any(axis=2).argmax(axis=1))) > 5
