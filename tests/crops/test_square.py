"""Any grey picture becomes the square."""

import numpy as np
import pytest
from conftest import drawn_images

from mien.crops.square import square


def test_one_of_that_size_is_as_it_was():
    image = drawn_images(1)[0][0]
    np.testing.assert_array_equal(square(image, 48), image)


def test_shrinking_averages_areas():
    image = drawn_images(1, size=96)[0][0]
    means = image.reshape(48, 2, 48, 2).mean((1, 3))
    assert np.abs(square(image, 48) - means).max() <= 0.5


@pytest.mark.parametrize(("height", "width"), [(20, 20), (30, 100), (100, 47), (1, 1)])
def test_what_is_too_small_on_a_side_is_interpolated_whatever_the_proportion(height, width):
    # From black on the left to white on the right, whatever the width.
    ramp = np.tile(np.linspace(0, 255, width, dtype=np.uint8), (height, 1))
    found = square(ramp, 48)
    assert (found.shape, found.dtype) == ((48, 48), np.uint8)
    places = (np.arange(48) + 0.5) * width / 48 - 0.5
    expected = np.interp(places, np.arange(width), ramp[0])
    assert np.abs(found - expected).max() <= 3
