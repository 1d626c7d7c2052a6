"""Photos: find the files, and decode a file to pixels."""

import glob
import io
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mien import LARGEST
from mien.crops.formats import PICTURES, VIDEOS
from mien.errors import PhotoError

# A photo on standard input. A file of this name is given with its folder, /tmp/-.
STANDARD_INPUT = Path("-")
# Maximum file size: 50 megapixels without compression.
LARGEST_FILE = 3 * LARGEST + 2**20
# Brands of ISO media files (ISO/IEC 23008-12, annex B) with HEVC pictures.
HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def files(given: Sequence[str]) -> list[Path]:
    """Return the photos and videos that the user names, without repetitions, in order.

    Args:
        given: files with any name; folders, searched recursively for photos and videos by name;
            patterns such as `photos/**/*.jpg`; `-`: a photo on standard input. Hidden files in
            folders are skipped.

    Raises:
        PhotoError: nothing was found.
    """
    found: dict[Path, None] = {}
    for one in given:
        here = Path(one).exists() or Path(one) == STANDARD_INPUT
        matches = [one] if here else sorted(glob.glob(one, recursive=True))
        if not matches:
            if one.isdigit() or "://" in one:
                raise PhotoError(
                    f"{one}: no such file; a camera or a stream is read by --camera {one}"
                )
            raise PhotoError(f"{one}: no such file or folder, and no pattern that matches any")
        photos = [photo for match in matches for photo in _photos(Path(match))]
        if not photos:
            raise PhotoError(f"{one}: no photos in it; expected names like .jpg, .png or .mp4")
        found.update(dict.fromkeys(photos))
    return list(found)


def _photos(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, below, names in os.walk(path):
        below[:] = sorted(name for name in below if not _hidden(name))
        for name in sorted(names):
            if Path(name).suffix.lower() in PICTURES | VIDEOS and not _hidden(name):
                yield Path(folder, name)


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def is_video(path: Path) -> bool:
    """Return whether `path` has the name of a video."""
    return path.suffix.lower() in VIDEOS


def load(path: Path) -> np.ndarray:
    """Return the photo in the file, as `decode` does.

    Raises:
        PhotoError: the file or the photo in it cannot be read.
    """
    try:
        if path == STANDARD_INPUT:
            data = _standard_input()
        else:
            with path.open("rb") as file:
                data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise PhotoError(f"cannot be read: {error.strerror}") from error
    if len(data) > LARGEST_FILE:
        raise PhotoError(f"more than {LARGEST_FILE // 10**6} MB; expected a photo: make it smaller")
    return decode(data)


@cache
def _standard_input() -> bytes:
    """Return what came on standard input, which can be read but once."""
    return sys.stdin.buffer.read(LARGEST_FILE + 1)


def decode(data: bytes) -> np.ndarray:
    """Return the photo in a file's bytes, uint8, shape (H, W, 3), BGR, 0 to 255.

    EXIF rotation is applied. Of an animation the first picture is used, 16 bits are reduced to 8,
    transparency is ignored.

    Raises:
        PhotoError: the bytes are not an image, are HEIC or damaged, or have more than 50
            megapixels, which is checked before decoding.
    """
    width, height = _size(data)
    if width * height > LARGEST:
        raise PhotoError(
            f"{width} by {height} pixels, {width * height / 1e6:,.0f} megapixels; expected at most "
            f"{LARGEST / 1e6:.0f}: make it smaller"
        )
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise PhotoError("damaged or cut off; get the file again")
    return image


def _size(data: bytes) -> tuple[int, int]:
    """Return width and height from the file's header."""
    if not data:
        raise PhotoError("an empty file")
    try:
        with warnings.catch_warnings():
            # Pillow warns about sizes that are rejected here anyway, and about unusual metadata.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                return image.size
    except Image.DecompressionBombError as error:
        raise PhotoError(f"more than {LARGEST / 1e6:.0f} megapixels: make it smaller") from error
    except (OSError, ValueError, SyntaxError) as error:
        if data[4:8] == b"ftyp" and data[8:12] in HEIC:
            raise PhotoError("HEIC is not read; convert it to JPEG or PNG") from error
        raise PhotoError("no image; expected JPEG, PNG, WebP or the like") from error
