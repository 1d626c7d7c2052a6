"""Draws the app's examples anew: `python scripts/examples.py FOLDER`; nobody is in them.

The persons are those of the built-in sample's generator, larger and seen from the front.
"""

import sys
from itertools import pairwise
from pathlib import Path

# Of this checkout, whatever is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import cv2
import numpy as np

from mien.sources.face import Expression, Extras, Look, draw

HAPPY = Expression(
    mouth_curve=1.1, mouth_width=0.4, mouth_opening=0.6, teeth=0.8, eye_opening=-0.35, crease=1
)
SURPRISE = Expression(
    brow_height=1.3, eye_opening=0.9, mouth_opening=1.2, mouth_width=-0.35, teeth=0.1
)
SAD = Expression(mouth_curve=-1.0, brow_inner=1.3, eye_opening=-0.4, crease=0.3)
NEUTRAL = Expression()
GROUND = 178
# Frames a second of the clip, and its side.
RATE, SIDE = 10, 360


def look(number: int) -> Look:
    """Return person `number`; persons differ, their pose and light hardly do."""
    rng = np.random.default_rng([7, number])
    within = rng.uniform
    return Look(
        head_width=within(0.7, 0.82), jaw=within(0.1, 0.6), skin=within(120, 215),
        hair=within(10, 110), hairline=within(-0.7, -0.55), brow_weight=within(0.06, 0.1),
        brow_place=within(0, 0.04), eye_size=within(1.05, 1.25), eye_distance=within(0.92, 1.05),
        iris=within(30, 90), nose_length=within(0.85, 1.05), nose_width=within(0.1, 0.15),
        mouth_size=within(1.0, 1.2), lips=within(0.03, 0.07), lip_tone=within(0.65, 0.85),
        yaw=within(-8, 8), pitch=within(-4, 4), roll=within(-6, 6), gaze_x=0, gaze_y=0, scale=0.4,
        shift_x=0, shift_y=0, light_angle=within(60, 120), light=within(0.2, 0.4),
        background=GROUND, clutter=0, blur=0.15, contrast=1, exposure=0, noise=0.8,
    )  # fmt: skip


def person(number: int, expression: Expression, side: int, extras: Extras) -> np.ndarray:
    """Return a face, uint8, (side, side)."""
    return draw(expression, look(number), extras, side, np.random.default_rng([8, number]))


def portrait() -> np.ndarray:
    """Return one person who smiles, (480, 640)."""
    scene = np.full((480, 640), GROUND, np.uint8)
    scene[:, 80:560] = person(4, HAPPY, 480, Extras(long_hair=True))
    return scene


def group() -> np.ndarray:
    """Return six persons, (600, 900)."""
    faces = (
        (1, HAPPY, Extras(beard=True)),
        (2, SURPRISE, Extras()),
        (3, NEUTRAL, Extras(glasses=True)),
        (5, SAD, Extras(long_hair=True)),
        (6, HAPPY, Extras(long_hair=True)),
        (9, SURPRISE, Extras(moustache=True)),
    )
    drawn = [person(number, shown, 300, extras) for number, shown, extras in faces]
    return np.vstack([np.hstack(drawn[:3]), np.hstack(drawn[3:])])


def clip() -> list[np.ndarray]:
    """Return the frames of a person at rest who smiles, then is surprised, (SIDE, SIDE) each."""
    halts = (NEUTRAL, HAPPY, HAPPY, SURPRISE, SURPRISE, NEUTRAL)
    frames = []
    for begin, end in pairwise(halts):
        for step in np.linspace(0, 1, RATE, endpoint=False):
            mixed = {
                key: (1 - step) * value + step * getattr(end, key)
                for key, value in vars(begin).items()
            }
            frames.append(person(4, Expression(**mixed), SIDE, Extras(long_hair=True)))
    return frames


def main(folder: Path) -> None:
    """Write one.jpg, six.jpg and clip.mp4 into `folder`."""
    for name, scene in (("one", portrait()), ("six", group())):
        cv2.imwrite(str(folder / f"{name}.jpg"), scene, [cv2.IMWRITE_JPEG_QUALITY, 85])
    code = cv2.VideoWriter.fourcc(*"mp4v")
    video = cv2.VideoWriter(str(folder / "clip.mp4"), code, RATE, (SIDE, SIDE))
    for frame in clip():
        video.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    video.release()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
