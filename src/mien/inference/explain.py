"""Heat maps: pictures of a face next to its heat map."""

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mien.errors import MienError
from mien.inference.output import placed, writing
from mien.inference.reader import Reader, Reading

# Side of a drawn face, and height of the text above it, pixels.
SIDE, LINE = 240, 28
# The end of a heat map's file name, for a video with the time.
ENDING = re.compile(r"(-\d{5,}\.\d{3})?-face\d+\.png$")
# From blue, against the answer, to red, for it, as in the sheets of `evaluate`. RGB.
COLOURS = np.array([(59, 76, 192), (221, 221, 221), (180, 4, 38)])


def targets(paths: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Return the path prefix of each file's heat maps: the files' tree under `folder`.

    Raises:
        MienError: a heat map would overwrite a photo.
    """
    begins = placed(paths, folder)
    maps = {ENDING.sub("", str(path.resolve())): path for path in paths if ENDING.search(path.name)}
    for begin in begins.values():
        if clash := maps.get(str(begin.resolve())):
            raise MienError(f"--explain {folder} would replace {clash}; choose another folder")
    return begins


def save(reading: Reading, reader: Reader, begin: Path) -> None:
    """Write the heat map of each face as `NAME-face1.png`, in a video numbered by track.

    Raises:
        MienError: it cannot be written.
    """
    numbers = reading.tracks or range(1, len(reading.faces) + 1)
    heats = reader.explain(reading.faces)
    time = "" if reading.time is None else f"-{reading.time:09.3f}"
    for number, face, heat in zip(numbers, reading.faces, heats, strict=True):
        picture = Image.new("RGB", (2 * SIDE, LINE + SIDE), "white")
        picture.paste(Image.fromarray(face.crop).resize((SIDE, SIDE)), (0, LINE))
        picture.paste(Image.fromarray(overlay(face.crop, heat, SIDE)), (SIDE, LINE))
        text = f"{face.likeliest} {face.confidence:.0%}"
        font = ImageFont.load_default(0.6 * LINE)
        ImageDraw.Draw(picture).text((LINE / 4, LINE / 2), text, "black", font, anchor="lm")
        path = begin.with_name(f"{begin.name}{time}-face{number}.png")
        with writing(path):
            picture.save(path)


def overlay(crop: np.ndarray, heat: np.ndarray, side: int) -> np.ndarray:
    """Return the face under its heat map, RGB, uint8, shape (side, side, 3).

    The colours run from the map's own minimum, blue, to its own maximum, red.

    Args:
        crop: uint8, shape (S, S).
        heat: float, shape (S, S), from `Reader.explain`.
        side: side of the picture, pixels.
    """
    shape = (side, side)
    large = cv2.resize(heat, shape, interpolation=cv2.INTER_LINEAR)
    span = np.ptp(large)
    level = (large - large.min()) / span if span else np.full_like(large, 0.5)
    colours = [np.interp(level, (0, 0.5, 1), channel) for channel in COLOURS.T]
    face = cv2.resize(crop, shape, interpolation=cv2.INTER_CUBIC)
    return (0.5 * face[..., None] + 0.5 * np.stack(colours, axis=-1)).astype(np.uint8)
