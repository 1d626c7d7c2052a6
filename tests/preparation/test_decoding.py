"""Files become grey squares; of what is no picture only its size is told."""

import io

import cv2
import numpy as np
import pytest
from conftest import drawn_images, encoded
from PIL import Image

from mien.crops.alignment import crop
from mien.crops.detection import Detection
from mien.crops.square import square
from mien.preparation.decoding import decode, decode_all

GREY = drawn_images(1)[0][0]


def colour(seed: int = 0, height: int = 48, width: int = 48) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("extension", [".png", ".bmp"])
def test_grey_pixels_pass_unchanged_from_one_or_three_equal_channels(channels, extension):
    image = GREY if channels == 1 else cv2.merge([GREY] * 3)
    decoded = decode(encoded(image, extension), 48)
    assert np.array_equal(decoded.image, GREY)
    assert decoded.spread == 0
    assert decoded.content == decode(encoded(GREY), 48).content


def test_colour_becomes_luma_and_its_spread_is_measured():
    image = colour()
    decoded = decode(encoded(image), 48)
    luma = image @ np.array([0.114, 0.587, 0.299])
    assert np.abs(decoded.image - luma).max() <= 1
    assert decoded.spread == (image.max(2).astype(int) - image.min(2)).max()


@pytest.mark.parametrize("extension", [".jpg", ".webp"])
def test_lossy_compression_of_a_grey_image_makes_it_hardly_coloured(extension):
    assert decode(encoded(cv2.merge([GREY] * 3), extension), 48).spread <= 1


def test_another_size_becomes_the_square_and_is_told():
    image = cv2.cvtColor(colour(1, 30, 100), cv2.COLOR_BGR2GRAY)
    decoded = decode(encoded(image), 48)
    assert (decoded.height, decoded.width) == (30, 100)
    np.testing.assert_array_equal(decoded.image, square(image, 48))


def test_an_image_that_lies_on_its_side_is_turned_as_its_exif_data_says():
    upright = cv2.resize(GREY, (32, 64))
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: to be turned clockwise by a quarter.
    file = io.BytesIO()
    Image.fromarray(np.rot90(upright)).save(file, "JPEG", exif=exif, quality=95)
    decoded = decode(file.getvalue(), 48)
    assert (decoded.height, decoded.width) == (64, 32)
    straight = decode(encoded(upright), 48).image.astype(int)
    assert np.abs(decoded.image - straight).mean() < 5


def test_contents_differ_where_only_the_shape_does():
    pixels = np.arange(64, dtype=np.uint8)
    assert (
        decode(encoded(pixels.reshape(8, 8)), 48).content
        != decode(encoded(pixels.reshape(4, 16)), 48).content
    )


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp"])
def test_a_cut_file_is_unreadable(extension):
    data = encoded(colour(2, 300, 300), extension)
    assert decode(data, 48) is not None
    assert decode(data[: len(data) // 2], 48) is None


@pytest.mark.parametrize("data", [b"", b"<html>404 Not Found</html>", bytes(range(256))])
def test_what_is_no_image_is_unreadable(data):
    assert decode(data, 48) is None


def face(x: int, y: int, width: int, height: int) -> Detection:
    """Return a face in this box, its eyes, nose and mouth where an upright face has them."""
    places = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
    return Detection((x, y, width, height), places * (width, height) + (x, y))


def two_faces(photo: np.ndarray) -> list[Detection]:
    """Find the same two faces in any photo that is not black, the second one the larger."""
    assert photo.ndim == 3
    return [face(2, 3, 20, 10), face(10, 8, 16, 30)] if photo.any() else []


@pytest.mark.parametrize("channels", [1, 3])
def test_of_a_photo_the_largest_face_is_cut(channels):
    photo = GREY if channels == 1 else cv2.merge([GREY] * 3)
    decoded = decode(encoded(photo), 48, two_faces)
    np.testing.assert_array_equal(decoded.image, crop(GREY, face(10, 8, 16, 30), 48))
    assert (decoded.height, decoded.width, decoded.faces) == (30, 16, 2)


def test_a_photo_without_a_face_is_told_from_one_that_cannot_be_read():
    files = [encoded(GREY), encoded(np.zeros((48, 48), np.uint8)), b"broken"]
    table, images = decode_all([files], 3, 48, two_faces)
    assert table["readable"].tolist() == [True, False, False]
    assert table["faces"].tolist()[:2] == [2, 0]
    assert np.isnan(table["faces"][2])
    assert table.loc[1:, ["height", "width", "spread", "content"]].isna().all(axis=None)
    assert not images[1:].any()


def test_files_are_decoded_in_order_and_the_unreadable_keep_their_place():
    images, _ = drawn_images(5)
    files = [encoded(image) for image in images]
    files[3] = b"broken"
    table, decoded = decode_all([files[:2], [], files[2:]], 5, 48)
    assert table["readable"].tolist() == [True, True, True, False, True]
    assert table["bytes"].tolist() == [len(data) for data in files]
    assert table.loc[3, ["height", "width", "spread", "content"]].isna().all()
    assert np.array_equal(decoded[table["readable"]], images[table["readable"]])
    assert not decoded[3].any()
