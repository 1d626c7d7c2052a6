"""One face drawn by OpenCV: the expression, the person, the pose, the light, the camera.

Lengths are in half-heights of the head, from the middle between forehead and chin: x to the
right, y downwards, the chin at y = 1. Tones are grey levels, 0 to 255.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

# Drawn at three times the usual 48 pixels, so that shrinking smooths every edge.
SIDE = 144
EYES, BROWS, NOSE, MOUTH = -0.1, -0.36, 0.24, 0.55


@dataclass(frozen=True)
class Expression:
    """Facial movements; all 0 is a neutral face, 1 a strong movement."""

    brow_height: float = 0.0  # both brows up
    brow_inner: float = 0.0  # the inner ends up, the outer ends down
    eye_opening: float = 0.0  # 1: twice as wide, -1: shut
    mouth_curve: float = 0.0  # corners up
    mouth_opening: float = 0.0  # lips apart, jaw down
    mouth_width: float = 0.0  # 1: twice as wide
    teeth: float = 0.0  # share of the opening under the upper teeth
    crease: float = 0.0  # depth of the folds from nose to mouth


@dataclass(frozen=True)
class Look:
    """All other continuous properties."""

    # The person.
    head_width: float  # half-width of the head
    jaw: float  # 0: oval chin, 1: narrow
    skin: float  # tone
    hair: float  # tone of hair and brows
    hairline: float  # y of the hair's edge
    brow_weight: float  # thickness
    brow_place: float  # shift of the brows, up
    eye_size: float  # factor
    eye_distance: float  # factor
    iris: float  # tone
    nose_length: float  # factor
    nose_width: float  # half-width
    mouth_size: float  # factor
    lips: float  # thickness
    lip_tone: float  # factor on the skin's tone
    # The pose.
    yaw: float  # degrees, to the viewer's right
    pitch: float  # degrees, downwards
    roll: float  # degrees, clockwise
    gaze_x: float  # share of the eye's half-width
    gaze_y: float
    scale: float  # half-height of the head as a share of the picture's side
    shift_x: float  # share of the picture's side
    shift_y: float
    # Light and background.
    light_angle: float  # degrees, where the light comes from
    light: float  # 0: flat, 1: half of the face in shadow
    background: float  # tone
    clutter: float  # number of shapes behind the head
    # The camera.
    blur: float  # standard deviation, pixels of a 48-pixel picture
    contrast: float  # factor around middle grey
    exposure: float  # grey levels added
    noise: float  # standard deviation, grey levels


@dataclass(frozen=True)
class Extras:
    """Binary properties."""

    long_hair: bool = False
    bald: bool = False
    beard: bool = False
    moustache: bool = False
    glasses: bool = False
    sunglasses: bool = False
    shut_eyes: bool = False
    bar: bool = False  # a straight edge in front of the face
    hand: bool = False  # a hand in front of the lower face


class _Sketch:
    """A canvas; shapes are given in head units and follow the head's pose."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.canvas: np.ndarray = np.full((SIDE, SIDE), look.background, np.uint8)
        self.unit = look.scale * SIDE
        self.centre = SIDE * (0.5 + np.array([look.shift_x, look.shift_y]))
        yaw, pitch, roll = np.radians((look.yaw, look.pitch, look.roll))
        turned = np.array(
            [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]
        )
        nodded = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)]])
        tilted = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
        self.view = self.unit * (tilted @ nodded @ turned).T

    def place(self, points: np.ndarray) -> np.ndarray:
        """Return pixels, (N, 2), of `points`, (N, 2), on the surface of the turned head."""
        x, y = points.T
        width = self.look.head_width
        depth = width * np.sqrt(np.maximum(0, 1 - (x / width) ** 2 - y**2))
        return np.stack([x, y, depth], axis=1) @ self.view + self.centre

    def fill(self, points: np.ndarray, tone: float) -> None:
        """Fill the polygon."""
        _fill(self.canvas, self.place(points), tone)

    def stroke(self, points: np.ndarray, tone: float, width: float, closed: bool = False) -> None:
        """Draw a line of `width` head units."""
        thickness = max(1, round(width * self.unit))
        fixed = [np.round(self.place(points) * 16).astype(np.int32)]
        cv2.polylines(self.canvas, fixed, closed, _tone(tone), thickness, cv2.LINE_AA, 4)

    def mask(self, points: np.ndarray) -> np.ndarray:
        """Return how much of each pixel the polygon covers, float32, (SIDE, SIDE), 0 to 1."""
        covered = np.zeros((SIDE, SIDE), np.uint8)
        _fill(covered, self.place(points), 255)
        return covered.astype(np.float32) / 255

    def darken(self, points: np.ndarray, strength: float) -> None:
        """Darken the polygon softly; `strength` 1 makes its middle black."""
        soft = cv2.GaussianBlur(self.mask(points), (0, 0), 0.06 * self.unit)
        self.canvas = (self.canvas * (1 - strength * soft)).astype(np.uint8)


def _tone(value: float) -> int:
    return min(255, max(0, round(value)))


def _fill(canvas: np.ndarray, pixels: np.ndarray, tone: float) -> None:
    fixed = [np.round(pixels * 16).astype(np.int32)]
    cv2.fillPoly(canvas, fixed, _tone(tone), cv2.LINE_AA, 4)


def _oval(x: float, y: float, width: float, height: float, corners: int = 24) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return np.stack([x + width * np.cos(angle), y + height * np.sin(angle)], axis=1)


def _lens(x: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Return the outline between two curves over the same `x`."""
    return np.concatenate([np.stack([x, upper], 1), np.stack([x, lower], 1)[::-1]])


def _outline(look: Look, opening: float) -> np.ndarray:
    head = _oval(0, 0, look.head_width, 1, 48)
    below = np.clip(head[:, 1], 0, None)
    head[:, 0] *= 1 - 0.35 * look.jaw * below**2
    head[:, 1] += 0.1 * below * max(0.0, opening)
    return head


def _backdrop(sketch: _Sketch, rng: np.random.Generator) -> None:
    canvas, look = sketch.canvas, sketch.look
    for _ in range(round(look.clutter)):
        tone = _tone(look.background + rng.normal(0, 55))
        centre, axes = rng.uniform(0, SIDE, 2), rng.uniform(5, 55, 2)
        if rng.random() < 0.6:
            box = (tuple(centre), tuple(axes * 2), rng.uniform(0, 180))
            _fill(canvas, cv2.boxPoints(box), tone)
        else:
            _fill(canvas, centre + _oval(0, 0, *axes), tone)
    sketch.canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.5, 5))


def _body(sketch: _Sketch, rng: np.random.Generator) -> None:
    look = sketch.look
    neck = rng.uniform(0.45, 0.7) * look.head_width
    shoulder, slope = rng.uniform(1.1, 1.8), rng.uniform(1.25, 1.55)
    cloth = np.array([[-shoulder, 3], [-shoulder, slope + 0.15], [-neck, slope - 0.15],
                      [neck, slope - 0.15], [shoulder, slope + 0.15], [shoulder, 3]])  # fmt: skip
    sketch.fill(np.array([[-neck, 0.5], [neck, 0.5], [neck, 3], [-neck, 3]]), look.skin * 0.8)
    sketch.fill(cloth, rng.uniform(10, 245))


def _head(sketch: _Sketch, outline: np.ndarray, extras: Extras) -> None:
    look = sketch.look
    if extras.long_hair:
        sketch.fill(_oval(0, 0.1, look.head_width * 1.25, 1.25), look.hair)
    for side in (-1, 1):
        sketch.fill(_oval(side * look.head_width, 0, 0.1, 0.2), look.skin * 0.85)
    sketch.fill(outline, look.skin)


def _hair(sketch: _Sketch, rng: np.random.Generator) -> None:
    look = sketch.look
    width, parting = look.head_width * 1.06, rng.uniform(-0.7, 0.7)
    angle = np.linspace(np.pi * 1.02, np.pi * 1.98, 20)
    crown = np.stack([width * np.cos(angle), 1.1 * np.sin(angle)], 1)
    x = np.linspace(width, -width, 13)
    fringe = look.hairline + rng.normal(0, 0.03, 13) - 0.15 * np.cos(2 * (x / width - parting))
    sides = np.abs(x) / width
    edge = np.stack([x * 0.98, np.where(sides > 0.9, -0.05, fringe + 0.25 * sides**4)], 1)
    sketch.fill(np.concatenate([crown, edge]), look.hair)
    for _ in range(8):
        start, end = rng.uniform(-0.7, 0.7, 2) * width
        strand = np.array([[start, -1.05], [end, look.hairline - 0.12]])
        sketch.stroke(strand, look.hair + rng.normal(0, 22), 0.02)


def _beard(sketch: _Sketch, outline: np.ndarray) -> None:
    lower = outline[outline[:, 1] > 0.15]
    lower = lower[np.argsort(lower[:, 0])]
    inner = np.stack([lower[::-1, 0] * 0.75, np.clip(lower[::-1, 1] * 0.55, 0.15, 0.42)], 1)
    sketch.darken(np.concatenate([lower, inner]), 0.65)


def _brows(sketch: _Sketch, expression: Expression) -> None:
    look = sketch.look
    t = np.linspace(0, 1, 7)
    inner, length = 0.14 * look.eye_distance, 0.38 * look.eye_size
    y = BROWS - look.brow_place - 0.16 * expression.brow_height - 0.05 * np.sin(np.pi * t)
    y = y - expression.brow_inner * (0.13 * (1 - t) - 0.07 * t)
    tone = min(look.hair * 0.8, look.skin * 0.75)
    for side in (-1, 1):
        sketch.stroke(np.stack([side * (inner + length * t), y], 1), tone, look.brow_weight)


def _eyes(sketch: _Sketch, expression: Expression, extras: Extras) -> None:
    look = sketch.look
    half = 0.16 * look.eye_size
    height = 0 if extras.shut_eyes else max(0, 0.085 * look.eye_size * (1 + expression.eye_opening))
    t = np.linspace(-1, 1, 9)
    bow = 1 - t**2
    for side in (-1, 1):
        middle = side * 0.33 * look.eye_distance
        x = middle + half * t
        lids = _lens(x, EYES - height * bow, EYES + 0.8 * height * bow)
        sketch.darken(_oval(middle, EYES - 0.03, half * 1.3, 0.13), 0.18)
        if height > 0.015:
            bare = sketch.canvas
            sketch.canvas = np.full_like(bare, 235 if look.skin > 120 else 215)
            iris = _oval(middle + look.gaze_x * half, EYES + look.gaze_y * 0.05, 0.085, 0.085)
            sketch.fill(iris, look.iris)
            sketch.fill(iris.mean(axis=0) + _oval(0, 0, 0.04, 0.04), 10)
            inside = sketch.mask(lids)
            sketch.canvas = (bare * (1 - inside) + sketch.canvas * inside).astype(np.uint8)
        sketch.stroke(np.stack([x, EYES - height * bow], 1), look.skin * 0.3, 0.035)
        sketch.stroke(np.stack([x, EYES + 0.8 * height * bow], 1), look.skin * 0.7, 0.015)


def _nose(sketch: _Sketch) -> None:
    look = sketch.look
    tip, wide = EYES + (NOSE - EYES) * look.nose_length, look.nose_width
    side = 1 if math.cos(math.radians(look.light_angle)) < 0 else -1
    bridge = np.array([[0, EYES], [side * wide, tip - 0.02], [0, tip]])
    sketch.darken(bridge, 0.25)
    under = np.array([[-wide, tip - 0.06], [-wide * 0.7, tip], [0, tip + 0.03], [wide * 0.7, tip],
                      [wide, tip - 0.06]])  # fmt: skip
    sketch.stroke(under, look.skin * 0.6, 0.025)


def _creases(sketch: _Sketch, expression: Expression) -> None:
    depth = min(1.0, max(0.0, expression.crease))
    corner = _mouth_half(sketch.look, expression)
    for side in (-1, 1):
        fold = np.array([[0.18, NOSE - 0.06], [corner, NOSE + 0.12], [corner + 0.08, MOUTH - 0.06]])
        sketch.stroke(fold * (side, 1), sketch.look.skin * (1 - 0.28 * depth), 0.03)


def _mouth_half(look: Look, expression: Expression) -> float:
    return 0.28 * look.mouth_size * max(0.4, 1 + expression.mouth_width)


def _mouth(sketch: _Sketch, expression: Expression, extras: Extras) -> None:
    look = sketch.look
    half = _mouth_half(look, expression)
    gap = 0.34 * max(0.0, expression.mouth_opening)
    t = np.linspace(-1, 1, 13)
    round_bow, bow = np.sqrt(1 - t**2), 1 - t**2
    middle = MOUTH - 0.2 * expression.mouth_curve * (t**2 - 0.4)
    x, upper, lower = half * t, middle - 0.3 * gap * round_bow, middle + 0.7 * gap * round_bow
    lip = look.skin * look.lip_tone
    sketch.fill(_lens(x, upper - look.lips * bow, lower + 1.4 * look.lips * bow), lip)
    if gap > 0.03:
        sketch.fill(_lens(x, upper, lower), look.skin * 0.15)
        bite = upper + (lower - upper) * float(np.clip(expression.teeth, 0, 1))
        inner = slice(2, -2)
        if expression.teeth > 0.15:
            sketch.fill(_lens(x[inner], upper[inner], bite[inner]), 235)
    else:
        sketch.stroke(np.stack([x, middle], 1), look.skin * 0.3, 0.035)
    if extras.moustache:
        sketch.fill(
            _lens(x, upper - look.lips * bow - 0.12 * bow - 0.02, upper - 0.01), look.hair * 0.8
        )


def _glasses(sketch: _Sketch, dark: bool) -> None:
    look = sketch.look
    middle, tone = 0.33 * look.eye_distance, 25
    for side in (-1, 1):
        rim = _oval(side * middle, EYES + 0.02, 0.26, 0.2)
        if dark:
            sketch.fill(rim, tone)
        sketch.stroke(rim, tone, 0.03, closed=True)
        temple = np.array([[middle + 0.26, EYES], [look.head_width, EYES - 0.03]])
        sketch.stroke(temple * (side, 1), tone, 0.03)
    sketch.stroke(np.array([[0.26 - middle, EYES], [middle - 0.26, EYES]]), tone, 0.03)


def _lit(sketch: _Sketch, outline: np.ndarray) -> np.ndarray:
    """Return the canvas lit from one side: a gradient, and shading of the round head."""
    look = sketch.look
    pixels = np.arange(SIDE)[:, None]
    x, y = ((pixels - sketch.centre) / sketch.unit).astype(np.float32).T
    y = y[:, None]
    angle = math.radians(look.light_angle)
    along = x * math.cos(angle) - y * math.sin(angle)
    depth = np.sqrt(np.maximum(0, 1 - (x / look.head_width) ** 2 - y**2))
    facing = look.light * along / look.head_width + (1 - 0.5 * look.light) * depth
    head = cv2.GaussianBlur(sketch.mask(outline), (0, 0), 2)
    gain = 1 + head * (0.55 * (facing - 0.7)) + (1 - head) * 0.25 * look.light * along
    return sketch.canvas * np.clip(gain, 0.12, 1.6)


def _obstacles(sketch: _Sketch, extras: Extras, rng: np.random.Generator) -> None:
    if extras.bar:
        angle, offset = rng.uniform(0, np.pi), rng.choice([-1, 1]) * rng.uniform(0.25, 0.9)
        normal = np.array([np.cos(angle), np.sin(angle)])
        along = np.array([-normal[1], normal[0]]) * 5
        near, far = normal * offset, normal * (offset + np.sign(offset) * rng.uniform(0.2, 0.8))
        corners = np.array([near - along, near + along, far + along, far - along])
        _fill(sketch.canvas, corners * sketch.unit + SIDE / 2, rng.uniform(15, 240))
    if extras.hand:
        side, tone = rng.choice([-1, 1]), sketch.look.skin * rng.uniform(0.8, 1.1)
        wrist = np.array([side * rng.uniform(0.4, 1.0), rng.uniform(0.9, 1.3)])
        sketch.fill(wrist + _oval(0, 0, 0.3, 0.35), tone)
        for finger in range(4):
            root = wrist + np.array([0.14 * (finger - 1.5), -0.2])
            tip = root + np.array([rng.normal(-side * 0.2, 0.08), -rng.uniform(0.3, 0.5)])
            sketch.stroke(np.stack([root, tip]), tone * 0.7, 0.16)
            sketch.stroke(np.stack([root, tip]), tone, 0.13)


def draw(
    expression: Expression, look: Look, extras: Extras, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Return a drawn face, uint8, shape (size, size), 0 to 255.

    `rng` draws what has no parameter: clutter, clothes, strands of hair, noise.
    """
    sketch = _Sketch(look)
    outline = _outline(look, expression.mouth_opening)
    _backdrop(sketch, rng)
    _body(sketch, rng)
    _head(sketch, outline, extras)
    _creases(sketch, expression)
    if extras.beard:
        _beard(sketch, outline)
    _nose(sketch)
    _eyes(sketch, expression, extras)
    _mouth(sketch, expression, extras)
    _brows(sketch, expression)
    if not extras.bald:
        _hair(sketch, rng)
    if extras.glasses or extras.sunglasses:
        _glasses(sketch, extras.sunglasses)
    _obstacles(sketch, extras, rng)
    return _photograph(_lit(sketch, outline), look, size, rng)


def _photograph(scene: np.ndarray, look: Look, size: int, rng: np.random.Generator) -> np.ndarray:
    sharp = cv2.GaussianBlur(scene, (0, 0), max(0.3, look.blur * SIDE / 48))
    small = cv2.resize(sharp, (size, size), interpolation=cv2.INTER_AREA)
    exposed = (small - 127.5) * look.contrast + 127.5 + look.exposure
    grainy = exposed + rng.normal(0, look.noise, small.shape)
    return np.clip(np.rint(grainy), 0, 255).astype(np.uint8)
