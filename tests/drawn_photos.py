"""Photos with drawn faces, and a tiny model that reads them: no real person, no trained net."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from conftest import CLASSES

from mien.crops.alignment import MIDDLE, SIDE
from mien.crops.detection import Detection
from mien.sources.face import Expression, Extras, Look, draw

SIZE, GROUND = 48, 60
# A person seen from the front in even light, whom YuNet finds.
LOOK = Look(
    head_width=0.79, jaw=0.24, skin=124, hair=12, hairline=-0.57, brow_weight=0.11, brow_place=0.02,
    eye_size=1.16, eye_distance=1.0, iris=93, nose_length=1.0, nose_width=0.14, mouth_size=1.1,
    lips=0.076, lip_tone=0.75, yaw=0, pitch=0, roll=0, gaze_x=0, gaze_y=0, scale=0.4, shift_x=0,
    shift_y=0, light_angle=100, light=0.41, background=GROUND, clutter=0, blur=0.71, contrast=1,
    exposure=0, noise=1,
)  # fmt: skip


def face(side: int, roll: float = 0) -> np.ndarray:
    """Return a drawn face at rest, uint8, (side, side), turned clockwise by `roll` degrees."""
    rng = np.random.default_rng(3)
    return draw(Expression(), replace(LOOK, roll=roll), Extras(), side, rng)


def photo(height: int, width: int, *places: tuple[int, int, int, float]) -> np.ndarray:
    """Return a photo, uint8, (height, width, 3), with a face at each x, y, side and roll."""
    scene = np.full((height, width), GROUND, np.uint8)
    for x, y, side, roll in places:
        scene[y : y + side, x : x + side] = face(side, roll)
    return cv2.cvtColor(scene, cv2.COLOR_GRAY2BGR)


def detected(box: tuple[int, int, int, int]) -> Detection:
    """Return a face whose crop is upright and has its middle in that of the box."""
    x, y, width, height = box
    middle = x + width / 2, y + height / 2 + (MIDDLE - 0.5) * SIDE * width
    around = np.array([(-1, -1), (1, -1), (0, 0), (-1, 1), (1, 1)])
    return Detection(box, middle + 0.25 * width * around)


def _number(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + _number(rest) if rest else bytes([low])


def _field(key: int, value: int | str | bytes) -> bytes:
    """Return one field in the wire format of protocol buffers."""
    if isinstance(value, int):
        return _number(key << 3) + _number(value)
    data = value.encode() if isinstance(value, str) else value
    return _number(key << 3 | 2) + _number(len(data)) + data


def _tensor(name: str, kind: int, *shape: int | str) -> bytes:
    """Return a ValueInfoProto of ONNX."""
    sides = b"".join(_field(1, _field(1 if isinstance(one, int) else 2, one)) for one in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, sides)))


def _node(kind: str, takes: list[str], gives: str, **numbers: int) -> bytes:
    attributes = b"".join(
        _field(5, _field(1, name) + _field(3, value) + _field(20, 2))
        for name, value in numbers.items()
    )
    names = b"".join(_field(1, name) for name in takes)
    return names + _field(2, gives) + _field(4, kind) + attributes


def model(classes=CLASSES, output: str = "probabilities", told: bool = True) -> bytes:
    """Return an ONNX file that tells in which quarter of a face it is brightest.

    So it is right about `conftest.drawn_images`. Written by hand (onnx.proto3 has the numbers of
    the fields), for the package `onnx` is no part of what the tests need.
    """
    half, weights = SIZE // 2, np.zeros((SIZE, SIZE, len(classes)), np.float32)
    for code in range(4):
        row, column = divmod(code, 2)
        area = slice(row * half, (row + 1) * half), slice(column * half, (column + 1) * half)
        weights[(*area, code)] = 0.05 / half**2
    float32, uint8 = 1, 2
    flat = _field(1, SIZE * SIZE) + _field(1, len(classes)) + _field(2, float32)
    graph = (
        _field(1, _node("Cast", ["image"], "real", to=float32))
        + _field(1, _node("Flatten", ["real"], "flat", axis=1))
        + _field(1, _node("MatMul", ["flat", "weights"], "logits"))
        + _field(1, _node("Softmax", ["logits"], output, axis=1))
        + _field(2, "tiny")
        + _field(5, flat + _field(8, "weights") + _field(9, weights.tobytes()))
        + _field(11, _tensor("image", uint8, "N", SIZE, SIZE))
        + _field(12, _tensor(output, float32, "N", len(classes)))
    )
    notes = {"classes": json.dumps(list(classes)), "image_size": str(SIZE)} if told else {}
    metadata = b"".join(
        _field(14, _field(1, key) + _field(2, value)) for key, value in notes.items()
    )
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 17)) + metadata


def exported(**told: object) -> Path:
    """Write what the stage `export` does, of the tiny model, return the folder."""
    folder = Path("models/export")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model())
    card = {"arch": "tiny", "classes": CLASSES, "image_size": SIZE}
    (folder / "card.json").write_text(json.dumps(card | told))
    return folder


def write(path: Path, image: np.ndarray) -> Path:
    """Write `image` in the format that the path's suffix names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path
