"""Faces are drawn as their expression, their look and their extras say."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from mien.sources import face

SAMPLE = Path(__file__).parents[2] / "data/sample"


def plain_face(**changes: float) -> face.Look:
    """Return a frontal, evenly lit, noiseless, light-skinned person."""
    values = yaml.safe_load((SAMPLE / "recipe.yaml").read_text())["look"]
    still = {"yaw", "pitch", "roll", "gaze_x", "gaze_y", "shift_x", "shift_y", "exposure"}
    still |= {"light", "clutter", "blur", "noise"}
    middle = {
        key: 0.0 if key in still else float(np.mean(bounds)) for key, bounds in values.items()
    }
    fixed = {
        "skin": 210,
        "contrast": 1,
        "scale": 0.45,
        "brow_weight": 0.06,
        "eye_size": 1,
        "mouth_size": 1,
    }
    return face.Look(**middle | fixed | changes)


def portrait(look: face.Look | None = None, **expression: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    extras = face.Extras(bald=True)
    return face.draw(face.Expression(**expression), look or plain_face(), extras, face.SIDE, rng)


def mouth_rows(**expression: float) -> tuple[float, float]:
    """Return the row of the mouth's darkest point near its corners and in its middle."""
    image = portrait(**expression).astype(float)
    top = face.SIDE // 2 + round(0.38 * 0.45 * face.SIDE)
    lower = image[top : top + round(0.4 * 0.45 * face.SIDE)]
    middle, reach = face.SIDE // 2, round(0.22 * 0.45 * face.SIDE)
    corners = [int(lower[:, middle + side * reach].argmin()) for side in (-1, 1)]
    return float(np.mean(corners)), float(lower[:, middle].argmin())


def test_a_smile_lifts_the_mouth_corners_above_its_middle_and_sadness_drops_them():
    corners, middle = mouth_rows(mouth_curve=0.9)
    assert corners < middle - 3
    corners, middle = mouth_rows(mouth_curve=-0.9)
    assert corners > middle + 3


def dark_rows(image: np.ndarray, x: float) -> int:
    """Return the first dark row from the forehead down, `x` head units beside the middle."""
    column = image[:, face.SIDE // 2 + round(x * 0.45 * face.SIDE)]
    forehead = face.SIDE // 2 - round(0.7 * 0.45 * face.SIDE)
    return forehead + int(np.argmax(column[forehead:] < 160))


def test_brows_rise_whole_in_surprise_and_inside_in_sadness():
    rest, surprise, sad = portrait(), portrait(brow_height=0.9), portrait(brow_inner=0.9)
    inner, outer = 0.2, 0.48
    assert dark_rows(surprise, inner) < dark_rows(rest, inner) - 4
    assert dark_rows(surprise, outer) < dark_rows(rest, outer) - 4
    assert dark_rows(sad, inner) < dark_rows(rest, inner) - 2
    assert dark_rows(sad, outer) > dark_rows(rest, outer) + 1


@pytest.mark.parametrize("field", [field.name for field in fields(face.Expression)])
def test_every_movement_changes_the_picture(field):
    open_mouth = {"mouth_opening": 0.5} if field == "teeth" else {}
    rest = portrait(**open_mouth)
    assert (rest != portrait(**open_mouth | {field: 0.9})).any()


@pytest.mark.parametrize("field", [field.name for field in fields(face.Extras)])
def test_every_extra_changes_the_picture(field):
    def with_extras(extras: face.Extras) -> np.ndarray:
        rng = np.random.default_rng(0)
        return face.draw(face.Expression(), plain_face(), extras, face.SIDE, rng)

    assert (
        with_extras(face.Extras()) != with_extras(replace(face.Extras(), **{field: True}))
    ).any()
