"""The page's arithmetic on pixels is the package's, to the last grey level: run by Node.js."""

import json
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_photos import detected

from mien.crops.alignment import crop
from mien.crops.detection import Detection

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")

READER = Path(__file__).parents[2] / "live/reader.js"
SCRIPT = """
import { Picture, cropped, shrunk } from "./reader.mjs";
import { readFileSync } from "node:fs";
const { width, height, pixels, sizes, faces } = JSON.parse(readFileSync("given.json"));
const rgba = Uint8ClampedArray.from(pixels);
const photo = Picture.ofCanvas({ width, height, data: rgba });
const grey = photo.grey();
console.log(JSON.stringify({
  grey: [...grey.data],
  small: sizes.map(([across, down]) => [...shrunk(photo, across, down).data]),
  crops: faces.map((face) => [...cropped(grey, face, 48).data]),
}));
"""


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """Return a noisy, smooth and edgy picture, uint8, (240, 320, 3), BGR."""
    rng = np.random.default_rng(2)
    image = cv2.resize(rng.integers(0, 256, (12, 16, 3), np.uint8), (320, 240))
    image[60:100, 80:200] = 255
    return np.clip(image + rng.integers(-20, 20, image.shape), 0, 255).astype(np.uint8)


FACES = [
    detected((40, 50, 90, 110)),
    # At and beyond the edge, small and very small, tilted, and in profile.
    detected((0, 0, 60, 60)),
    detected((300, 220, 20, 20)),
    detected((100, 100, 9, 11)),
    Detection(
        (120, 60, 83, 97), np.array([(140, 80), (180, 110), (150, 115), (125, 120), (165, 145)])
    ),
    Detection(
        (200, 90, 47, 58), np.array([(230, 105), (231, 106), (215, 118), (229, 135), (230, 136)])
    ),
]
SIZES = [(160, 120), (80, 60), (107, 80), (319, 239), (200, 150)]


@pytest.fixture(scope="module")
def computed(photo, tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("node")
    (folder / "reader.mjs").write_text(READER.read_text())
    (folder / "run.mjs").write_text(SCRIPT)
    faces = [{"box": one.box, "landmarks": one.landmarks.tolist()} for one in FACES]
    pixels = cv2.cvtColor(photo, cv2.COLOR_BGR2RGBA).ravel().tolist()
    given = {"width": 320, "height": 240, "pixels": pixels, "sizes": SIZES, "faces": faces}
    (folder / "given.json").write_text(json.dumps(given))
    done = subprocess.run(
        ["node", "run.mjs"], cwd=folder, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_grey_is_opencvs(photo, computed):
    assert computed["grey"] == cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY).ravel().tolist()


@pytest.mark.parametrize("number", range(len(SIZES)))
def test_copies_are_shrunk_as_opencv_shrinks_them(photo, computed, number):
    expected = cv2.resize(photo, SIZES[number], interpolation=cv2.INTER_AREA).ravel()
    off = np.abs(expected.astype(int) - computed["small"][number])
    # Exact where areas are whole pixels; else OpenCV adds in single precision.
    assert off.max() <= (0 if number < 2 else 1)
    assert off.mean() < 0.03


@pytest.mark.parametrize("number", range(len(FACES)))
def test_crops_are_the_packages(photo, computed, number):
    expected = crop(cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY), FACES[number], 48)
    assert computed["crops"][number] == expected.ravel().tolist()
