"""Picture files of every kind and in every state: grey pixels, or a finding by name."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import drawn_images, encoded, is_one_line, told_by_child
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mien import sources
from mien.errors import PhotoError
from mien.inference import photos
from mien.preparation.decoding import decode, decode_all

pytestmark = pytest.mark.usefixtures("walled")

GREY = cv2.GaussianBlur(drawn_images(1)[0][0], (5, 5), 2)
GREYS = Image.fromarray(GREY)
RGB = Image.fromarray(np.dstack([GREY] * 3))


def saved(image: Image.Image, form: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def apng() -> bytes:
    return saved(GREYS, "PNG", save_all=True, append_images=[Image.new("L", (48, 48))])


def clear(mode: str) -> Image.Image:
    """Return the face in a mode with an alpha channel, half of it transparent."""
    image = RGB.convert(mode)
    image.putalpha(Image.fromarray(np.tile(np.array([0, 255], np.uint8), (48, 24))))
    return image


PLAIN_PGM = b"P2 48 48 255\n" + " ".join(map(str, GREY.ravel())).encode() + b"\n"
DEEP_PGM = b"P5 48 48 65535\n" + (GREY.astype(">u2") * 257).tobytes()
KINDS = {
    "CMYK JPEG": saved(RGB.convert("CMYK"), "JPEG", quality=95),
    "CMYK TIFF": saved(RGB.convert("CMYK"), "TIFF"),
    "grey JPEG": saved(GREYS, "JPEG", quality=95),
    "progressive JPEG": saved(RGB, "JPEG", quality=95, progressive=True),
    "JPEG with a comment": saved(RGB, "JPEG", quality=95, comment=b"\0\xff" * 9000),
    "palette PNG": saved(GREYS.convert("P"), "PNG"),
    "palette GIF": saved(GREYS.convert("P"), "GIF"),
    "interlaced GIF": saved(GREYS, "GIF", interlace=1),
    "LA PNG": saved(clear("LA"), "PNG"),
    "RGBA PNG": saved(clear("RGBA"), "PNG"),
    "RGBA WebP": saved(clear("RGBA"), "WEBP", lossless=True, exact=True),
    "16-bit grey PNG": encoded(GREY.astype(np.uint16) * 257),
    "16-bit colour PNG": encoded(np.dstack([GREY.astype(np.uint16) * 257] * 3)),
    "16-bit grey TIFF": encoded(GREY.astype(np.uint16) * 257, ".tiff"),
    "16-bit PGM": DEEP_PGM,
    "PGM in letters": PLAIN_PGM,
    "animated PNG": apng(),
    "animated GIF": saved(GREYS, "GIF", save_all=True, append_images=[RGB.convert("L")]),
    "animated WebP": saved(RGB, "WEBP", save_all=True, append_images=[RGB], lossless=True),
    "TIFF of two pages": saved(GREYS, "TIFF", save_all=True, append_images=[RGB]),
    "packed TIFF": saved(GREYS, "TIFF", compression="tiff_lzw"),
    "bottom-up BMP": saved(GREYS, "BMP"),
    "PNG with a text of 200 kB": saved(GREYS, "PNG", icc_profile=b"x" * 200_000),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_picture_gives_its_grey_pixels(kind):
    for pixels in (decode(KINDS[kind], 48).image, photos.decode(KINDS[kind])[..., 0]):
        assert pixels.shape == (48, 48)
        assert np.abs(pixels.astype(int) - GREY).mean() < 3


ALMOST = {
    # OpenCV multiplies a TIFF by its transparency.
    "RGBA TIFF": saved(clear("RGBA"), "TIFF"),
    "one pixel": encoded(np.zeros((1, 1), np.uint8)),
    "one line": encoded(np.zeros((1, 5000), np.uint8)),
    "one column": encoded(np.zeros((5000, 1), np.uint8)),
    "black and white": saved(GREYS.convert("1"), "PNG"),
    "black and white TIFF": saved(GREYS.convert("1"), "TIFF", compression="group4"),
    "a GIF with a larger ground": (lambda d: d[:6] + struct.pack("<HH", 200, 200) + d[10:])(
        KINDS["palette GIF"]
    ),
    "bytes after the end": KINDS["grey JPEG"] + bytes(5000),
    "two in one": KINDS["grey JPEG"] + encoded(GREY),
    "a PNG that says it turned": saved(GREYS, "PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"),
}


@pytest.mark.parametrize("kind", ALMOST)
def test_odd_pictures_are_read_or_refused(kind):
    decoded = decode(ALMOST[kind], 48)
    assert decoded is None or decoded.image.shape == (48, 48)
    try:
        assert photos.decode(ALMOST[kind]).dtype == np.uint8
    except PhotoError as error:
        is_one_line(error)


NO_PICTURES = {
    "nothing": b"",
    "zeros": bytes(5000),
    "a page": b"<!DOCTYPE html><title>404</title>",
    "a drawing": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/></svg>',
    "XML with an entity": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
    "a PDF": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run showpage",
    "a program": b"\x7fELF\x02\x01\x01" + bytes(100),
    "a script": b"#!/bin/sh\ntouch ../escaped\n",
    "a zip": b"PK\x05\x06" + bytes(18),
    "a pickle": b"\x80\x04cos\nsystem\n(S'touch ../escaped'\ntR.",
    "a video": b"\0\0\0\x18ftypisom" + bytes(100),
    "a phone's photo": b"\0\0\0\x18ftypheic" + bytes(100),
    "an icon": b"\0\0\1\0\1\0\x10\x10\0\0\1\0\x20\0\x04\0\0\0\x16\0\0\0" + bytes(4),
    "a Photoshop file": b"8BPS\0\1" + bytes(100),
    "an array": b"\x93NUMPY\x01\x00" + bytes(100),
    "a PNG's name alone": b"\x89PNG\r\n\x1a\n",
    "a JPEG's name alone": b"\xff\xd8\xff",
    "a GIF's name alone": b"GIF89a",
    "a WebP's name alone": b"RIFF\xff\xff\xff\xffWEBPVP8 ",
    "a TIFF that points nowhere": b"II*\0\xff\xff\xff\x7f",
    "a TIFF in a circle": b"II*\0\x08\0\0\0\0\0\x08\0\0\0",
    "a BMP of minus one": b"BM" + bytes(12) + struct.pack("<IiiHH", 40, -1, -1, 1, 24) + bytes(24),
    "a PGM without a side": b"P5 0 48 255\n",
    "a PGM of minus one": b"P5 -1 -1 255\n",
    "a PGM of too many": b"P5 99999999999999999999 9 255\n",
}


def test_what_is_no_picture_is_unreadable_by_name_whatever_its_ending():
    """In the pipeline each is a finding; the command and the app say a line about each."""
    for number, data in enumerate(NO_PICTURES.values()):
        ending = (".jpg", ".png", ".tiff", ".gif")[number % 4]
        path = Path("set", "happy" if number < 10 else "sad", f"{number:02}{ending}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    with sources.opened(Path("set")) as source:
        items = list(source)
    assert [item.data for item in items] == list(NO_PICTURES.values())
    table, _ = decode_all([[item.data for item in items]], len(items), 48)
    assert not table["readable"].any()


@pytest.mark.parametrize("kind", NO_PICTURES)
def test_what_is_no_picture_is_one_line(kind):
    with pytest.raises(PhotoError) as caught:
        photos.decode(NO_PICTURES[kind])
    is_one_line(caught.value)


@pytest.mark.parametrize("ending", [".bmp", ".gif", ".jpg", ".pgm", ".png", ".tiff", ".webp"])
def test_the_content_counts_and_not_the_ending(ending):
    for kind in ("grey JPEG", "palette PNG", "interlaced GIF", "packed TIFF", "bottom-up BMP"):
        path = Path("set", "sad" if kind == "bottom-up BMP" else "happy", f"{kind}{ending}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(KINDS[kind])
    with sources.opened(Path("set")) as source:
        table, images = decode_all([[item.data for item in source]], len(source), 48)
    assert table["readable"].all()
    assert np.abs(images[:].astype(int) - GREY).mean() < 3


WHOLE = {
    extension: encoded(np.dstack([GREY, GREY, 255 - GREY]), extension)
    for extension in (".jpg", ".png", ".webp", ".bmp", ".tiff", ".gif", ".ppm")
}


@pytest.mark.parametrize("part", [0.02, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("extension", WHOLE)
def test_a_part_of_a_picture_is_read_or_refused(extension, part):
    data = WHOLE[extension][: int(part * len(WHOLE[extension]))]
    decoded = decode(data, 48)
    assert decoded is None or decoded.image.shape == (48, 48)
    try:
        photos.decode(data)
    except PhotoError as error:
        is_one_line(error)


@pytest.mark.parametrize("extension", WHOLE)
def test_a_changed_picture_is_read_or_refused(extension):
    """Bytes of a whole file are changed, most of them where the header is."""
    whole = WHOLE[extension]
    place = st.integers(0, 63) | st.integers(0, len(whole) - 1)
    changes = st.dictionaries(place, st.integers(0, 255), min_size=1, max_size=8)

    @settings(max_examples=25, deadline=None, derandomize=True, database=None)
    @given(changes, st.integers(0, len(whole)))
    def check(changed, cut):
        data = bytearray(whole)
        for at, value in changed.items():
            data[at] = value
        data = bytes(data[:cut] if cut % 4 == 0 else data)
        decoded = decode(data, 48)
        assert decoded is None or decoded.image.shape == (48, 48)
        try:
            image = photos.decode(data)
            assert (image.dtype, image.ndim) == (np.uint8, 3)
        except PhotoError as error:
            is_one_line(error)

    check()


def png(width: int, height: int, depth: int = 1) -> bytes:
    """Return a sound PNG of black: a pixel takes a bit, and shrinks to a thousandth of that."""
    row = bytes(1 + (width * depth + 7) // 8)
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def patched(data: bytes, at: int, layout: str, *values: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(layout, changed, at, *values)
    return bytes(changed)


def bombs() -> dict[str, bytes]:
    """Return small files whose headers tell of huge pictures; the first are sound."""
    flat = Image.new("L", (8000, 8000), 7)
    jpeg, gif = KINDS["grey JPEG"], KINDS["palette GIF"]
    bmp, tiff = KINDS["bottom-up BMP"], KINDS["packed TIFF"]
    webp = bytearray(saved(Image.new("RGB", (16, 16), 7), "WEBP", lossless=True))
    # 14 bits each for width and height less one, after the signature; one colour takes no bits.
    at = webp.index(b"VP8L") + 9
    bits = struct.unpack_from("<I", webp, at)[0] | (1 << 28) - 1
    struct.pack_into("<I", webp, at, bits)
    frame = jpeg.index(b"\xff\xc0") + 5
    wide, high = (tiff.index(struct.pack("<HHI", tag, 3, 1)) + 8 for tag in (256, 257))
    return {
        "PNG": png(20_000, 20_000),
        "wide PNG": png(60_000_000, 1),
        "PNG without pixels": png(2, 2).replace(struct.pack(">II", 2, 2), b"\x7f\xff\xff\xff" * 2),
        "JPEG": saved(flat, "JPEG"),
        "progressive JPEG": saved(flat, "JPEG", progressive=True),
        "JPEG's header": patched(jpeg, frame, ">HH", 65500, 65500),
        "GIF": saved(flat, "GIF"),
        "GIF's screen": patched(gif, 6, "<HH", 65535, 65535),
        "TIFF": saved(flat, "TIFF", compression="tiff_lzw"),
        "TIFF's header": patched(patched(tiff, wide, "<H", 65535), high, "<H", 65535),
        "WebP": bytes(webp),
        "BMP's header": patched(bmp, 18, "<ii", 60_000, 60_000),
        "BMP's header upside down": patched(bmp, 18, "<ii", 60_000, -(2**31)),
        "PGM": b"P5 60000 60000 255\n" + bytes(1000),
        "PPM in letters": b"P3 1000000 1000000 255\n0 0 0",
    }


CHILD = """
import json, resource, sys
from pathlib import Path
import mien
from mien.preparation.decoding import decode
from mien.errors import PhotoError
from mien.inference import photos

used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
face = Path("face.png").read_bytes()
decode(face, 48), photos.decode(face)
resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30))
told = {}
for path in sorted(Path("bombs").iterdir()):
    before = used()
    try:
        photos.decode(path.read_bytes())
        line = None
    except PhotoError as error:
        line = str(error)
    told[path.name] = decode(path.read_bytes(), 48) is None, line, used() - before
print(json.dumps(told))
"""


def test_pictures_that_unfold_to_gigabytes_are_refused_unseen():
    Path("bombs").mkdir()
    files = bombs()
    for name, data in files.items():
        assert len(data) < 2_000_000
        Path("bombs", name).write_bytes(data)
    Path("face.png").write_bytes(encoded(GREY))
    told, _ = told_by_child(CHILD, Path.cwd())
    assert sorted(told) == sorted(files)
    for name, (unreadable, line, mebibytes) in told.items():
        assert unreadable, name
        assert line, name
        assert "\n" not in line
        assert mebibytes < 60, (name, mebibytes)
    large = [name for name, (_, line, _) in told.items() if "megapixels" in line]
    assert {"PNG", "JPEG", "GIF", "TIFF", "WebP", "BMP's header", "PGM"} <= set(large), told


def test_a_photo_of_ten_gigabytes_is_not_read(walled):
    with Path("photo.jpg").open("wb") as file:
        file.truncate(10 * 2**30)
    with pytest.raises(PhotoError, match="more than 151 MB"):
        photos.load(Path("photo.jpg"))
    with pytest.raises(PhotoError, match="more than 151 MB"):
        photos.load(Path("/dev/zero"))
