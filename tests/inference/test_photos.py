"""Which files are meant, and what their bytes show."""

import io
import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from conftest import encoded
from PIL import Image

from mien.errors import PhotoError
from mien.inference import photos

COLOUR = cv2.merge([np.full((30, 40), value, np.uint8) for value in (40, 90, 200)])
COLOUR[:10] = 255


def file(image: Image.Image, form: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ("b.jpg", "a.PNG", "notes.txt", ".hidden.jpg", "x.heic", "sub/deep/c.webp", "clip.mp4")
    for name in (*names, "__MACOSX/d.jpg", ".cache/e.jpg"):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def found(*given: str) -> list[str]:
    return [path.as_posix() for path in photos.files(given)]


def test_a_folder_gives_its_photos_and_videos_to_its_depths_and_nothing_hidden(folder):
    assert found("set") == [
        "set/a.PNG", "set/b.jpg", "set/clip.mp4", "set/x.heic", "set/sub/deep/c.webp",
    ]  # fmt: skip


def test_a_named_file_counts_whatever_its_name(folder):
    assert found("set/notes.txt", "set/clip.mp4") == ["set/notes.txt", "set/clip.mp4"]


def test_patterns_are_expanded_and_nothing_is_read_twice(folder):
    assert found("set/**/*.webp", "set/[ab].*", "set/b.jpg") == [
        "set/sub/deep/c.webp",
        "set/a.PNG",
        "set/b.jpg",
    ]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder):
    (folder / "[1].jpg").touch()
    assert found("[1].jpg") == ["[1].jpg"]


@pytest.mark.parametrize("given", ["none.jpg", "set/*.gif"])
def test_what_is_not_there_is_named(folder, given):
    with pytest.raises(PhotoError, match=r"no such file or folder, and no pattern") as caught:
        photos.files([given])
    assert str(caught.value).startswith(given)


def test_a_folder_without_photos_is_named(folder):
    (folder / "empty").mkdir()
    with pytest.raises(PhotoError, match="empty: no photos in it"):
        photos.files(["set", "empty"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any file")
def test_a_forbidden_file_says_so(tmp_path):
    path = tmp_path / "a.jpg"
    path.touch(0o000)
    with pytest.raises(PhotoError, match="cannot be read: Permission denied"):
        photos.load(path)


def test_a_vanished_file_says_so(tmp_path):
    with pytest.raises(PhotoError, match="cannot be read: No such file"):
        photos.load(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("extension", "tolerance"), [(".png", 0), (".tiff", 0), (".webp", 3), (".avif", 3), (".jpg", 3)]
)
def test_formats_give_their_pixels(extension, tolerance):
    image = photos.decode(encoded(COLOUR, extension))
    assert np.abs(image.astype(int) - COLOUR).mean() <= tolerance


def test_odd_pixels_become_eight_bits_of_colour():
    rgb = Image.fromarray(COLOUR[..., ::-1])
    deep = (COLOUR.astype(np.uint16)) * 257
    clear = cv2.merge([*cv2.split(COLOUR), np.full((30, 40), 128, np.uint8)])
    for data in (
        file(rgb.convert("CMYK"), "JPEG", quality=100),
        file(rgb.convert("CMYK"), "TIFF"),
        encoded(deep),
        encoded(deep, ".tiff"),
        encoded(clear),
    ):
        image = photos.decode(data)
        assert (image.dtype, image.shape) == (np.uint8, (30, 40, 3))
        assert np.abs(image.astype(int) - COLOUR).mean() <= 3


@pytest.mark.parametrize("form", ["GIF", "WEBP"])
def test_an_animation_gives_its_first_picture(form):
    pictures = [Image.new("RGB", (40, 30), (level,) * 3) for level in (60, 200)]
    data = file(pictures[0], form, save_all=True, append_images=pictures[1:])
    assert np.abs(photos.decode(data).astype(int) - 60).max() <= 3


@pytest.mark.parametrize("turn", [3, 6, 8])
def test_a_photo_is_turned_upright_as_its_exif_data_says(turn):
    quarters = {3: 2, 6: 1, 8: 3}[turn]
    exif = Image.Exif()
    exif[0x0112] = turn
    lying = np.rot90(COLOUR[..., ::-1], quarters)
    data = file(Image.fromarray(lying.copy()), "JPEG", exif=exif, quality=100)
    image = photos.decode(data)
    assert image.shape == COLOUR.shape
    assert np.abs(image.astype(int) - COLOUR).mean() < 3


def png_header(width: int, height: int) -> bytes:
    """Return a PNG file whose header promises a size and which holds no pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (struct.pack(">I", 13), header, struct.pack(">I", zlib.crc32(header)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + struct.pack(">I", 0) + b"IDAT"


def test_more_than_50_megapixels_are_refused_from_the_header():
    # No pixels are there to decode, so the size alone can be the reason.
    with pytest.raises(PhotoError, match=r"10001 by 5000 pixels, 50 megapixels; expected at most"):
        photos.decode(png_header(10_001, 5000))
    with pytest.raises(PhotoError, match="more than 50 megapixels"):
        photos.decode(png_header(100_000, 100_000))
    with pytest.raises(PhotoError, match="damaged"):
        photos.decode(png_header(10_000, 5000))


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"heix"])
def test_heic_is_refused_by_name(brand):
    data = b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + bytes(64)
    with pytest.raises(PhotoError, match="HEIC is not read; convert it to JPEG"):
        photos.decode(data)


def test_what_is_no_image_or_cut_off_says_which():
    with pytest.raises(PhotoError, match="empty file"):
        photos.decode(b"")
    with pytest.raises(PhotoError, match="no image; expected JPEG"):
        photos.decode(b"<html>404 Not Found</html>")
    whole = encoded(np.random.default_rng(0).integers(0, 255, (99, 99, 3), np.uint8), ".jpg")
    with pytest.raises(PhotoError, match="damaged or cut off"):
        photos.decode(whole[: len(whole) // 2])
