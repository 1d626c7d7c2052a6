"""Copies of photos with boxes, answers and bars of probability drawn on them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from mien.errors import MienError
from mien.inference.colours import UNKNOWN, colours
from mien.inference.output import placed, writing
from mien.inference.reader import Box, Face, Reading

# Smaller photos are enlarged to this longer side, so that the words can be read.
LEAST = 480
# If a face covers more than this fraction of the photo, its bars are drawn next to the photo.
FILLS = 0.6
# Scales of the bars, tried in this order until there is space.
SHARES = (1, 0.8, 0.65)
DARK, GREY, PALE = (20, 20, 20, 200), (95, 95, 95, 255), (240, 240, 240, 255)


def targets(paths: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Return the path of each file's copy: the files' tree under `folder`, as JPEG.

    Raises:
        MienError: a copy would overwrite a photo.
    """
    copies = {
        path: copy if copy.suffix.lower() in (".jpg", ".jpeg") else Path(f"{copy}.jpg")
        for path, copy in placed(paths, folder).items()
    }
    photos = {path.resolve() for path in paths}
    if clash := [copy for copy in copies.values() if copy.resolve() in photos]:
        raise MienError(f"--annotate {folder} would replace {clash[0]}; choose another folder")
    return copies


def save(reading: Reading, classes: Sequence[str], copy: Path) -> None:
    """Write the annotated copy of a photo, or of a frame, with its time in the name.

    Raises:
        MienError: it cannot be written.
    """
    if reading.time is not None:
        copy = copy.with_name(f"{copy.stem}-{reading.time:09.3f}.jpg")
    picture = drawn(reading.load(), reading.faces, classes)
    with writing(copy):
        picture.save(copy, "JPEG", quality=92)


def drawn(photo: np.ndarray, faces: Sequence[Face], classes: Sequence[str]) -> Image.Image:
    """Return an annotated copy of `photo`, uint8, (H, W, 3), BGR.

    Each face gets a box and its answer. Its bars are drawn where they cover no other face, and are
    omitted if there is no such place.
    """
    picture, share = _enlarged(Image.fromarray(photo[..., ::-1]))
    boxes = [_scaled(face.box, share) for face in faces]
    picture, edge = _widened(picture, boxes, classes)
    layer = Image.new("RGBA", picture.size)
    draw = ImageDraw.Draw(layer)
    tones = colours(classes)
    # The largest first; all answers before any bars.
    pairs = sorted(zip(faces, boxes, strict=True), key=lambda pair: -pair[1][3])
    taken = list(boxes)
    for face, box in pairs:
        taken.append(_answer(draw, face, box, tones.get(face.emotion, UNKNOWN), classes))
    for face, box in pairs:
        for share in SHARES:
            panel = _Panel(_font_size(box, picture.size, classes) * share, classes)
            if place := panel.place(_beside(box, edge), picture.size, taken):
                panel.draw(draw, place, face.probabilities, tones)
                taken.append(place)
                break
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")


def _enlarged(picture: Image.Image) -> tuple[Image.Image, float]:
    """Return the picture, enlarged so that text is legible, and the factor."""
    share = max(1.0, LEAST / max(picture.size))
    width, height = (max(1, round(side * share)) for side in picture.size)
    return picture.resize(
        (width, height), Image.Resampling.BICUBIC
    ) if share > 1 else picture, share


def _scaled(box: Box, share: float) -> Box:
    x, y, width, height = (round(length * share) for length in box)
    return x, y, width, height


def _widened(
    picture: Image.Image, boxes: Sequence[Box], classes: Sequence[str]
) -> tuple[Image.Image, int | None]:
    """Return `picture` with space on the right for the bars of a face that fills it.

    Also returns where that space begins; None without such a face.
    """
    filling = [box for box in boxes if box[2] * box[3] > FILLS * picture.width * picture.height]
    if not filling:
        return picture, None
    panel = _Panel(_font_size(filling[0], picture.size, classes), classes)
    size = picture.width + panel.width + 2 * panel.gap, max(picture.height, panel.height)
    wide = Image.new("RGB", size, DARK[:3])
    wide.paste(picture)
    return wide, picture.width


def _beside(box: Box, edge: int | None) -> Box:
    """Return the box next to which the bars are drawn: the face, or all up to `edge`."""
    return box if edge is None else (0, box[1], edge, box[3])


def _font_size(box: Box, size: tuple[int, int], classes: Sequence[str]) -> float:
    """Return the font size at which the bars are as high as the face, within legible limits."""
    fitting = box[3] / (_Panel.ROW * (len(classes) + 1))
    return min(max(fitting, 12, max(size) / 110), max(16, max(size) / 50))


def _answer(
    draw: ImageDraw.ImageDraw, face: Face, box: Box, colour: str, classes: Sequence[str]
) -> Box:
    """Draw the box, and the answer above it, or inside without space; return the answer's box."""
    size = _font_size(box, draw.im.size, classes)
    font, line = ImageFont.load_default(size), max(2, round(size / 7))
    left, top, right, bottom = box[0], box[1], box[0] + box[2] - 1, box[1] + box[3] - 1
    # A dark outline on both sides, so that the line is visible on any background.
    draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=DARK, width=line + 2)
    draw.rectangle((left, top, right, bottom), outline=colour, width=line)
    text = f"{face.emotion} {face.confidence:.0%}"
    width, height = round(font.getlength(text) + size), round(1.5 * size)
    above = top - height if top >= height else top
    draw.rectangle((left, above, left + width, above + height), fill=colour)
    red, green, blue = ImageColor.getrgb(colour)[:3]
    ink = "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 110 else "white"
    draw.text((left + size / 2, above + height / 2), text, ink, font, anchor="lm")
    return left, above, width, height


class _Panel:
    """The bars of one face: names, bars and percentages on a dark background."""

    ROW = 1.3  # height of a line in font sizes

    def __init__(self, font_size: float, classes: Sequence[str]) -> None:
        self.font = ImageFont.load_default(font_size)
        self.gap, self.row, self.bar = (round(part * font_size) for part in (0.5, self.ROW, 4.5))
        self.names = round(max(self.font.getlength(label) for label in classes))
        self.width = self.names + self.bar + round(self.font.getlength("100%")) + 4 * self.gap
        self.height = self.row * len(classes) + self.gap

    def place(self, box: Box, size: tuple[int, int], taken: Sequence[Box]) -> Box | None:
        """Return a place next to `box` that overlaps nothing in `taken`; None if there is none."""
        left, top, width, height = box
        right, below = left + width + self.gap, top + height + self.gap
        level = max(0, min(top, size[1] - self.height))
        # Not above: there it would seem to belong to the face above it.
        corners = (
            (right, level),
            (left - self.gap - self.width, level),
            (left, below),
            (left + width - self.width, below),
        )
        for x, y in corners:
            inside = x >= 0 <= y and x + self.width <= size[0] and y + self.height <= size[1]
            place = (x, y, self.width, self.height)
            if inside and not any(_meet(place, one) for one in taken):
                return place
        return None

    def draw(
        self,
        draw: ImageDraw.ImageDraw,
        place: Box,
        probabilities: Mapping[str, float],
        tones: Mapping[str, str],
    ) -> None:
        x, y, width, height = place
        draw.rounded_rectangle((x, y, x + width, y + height), self.gap, DARK)
        start, half = x + 2 * self.gap + self.names, 0.25 * self.row
        for number, (label, share) in enumerate(probabilities.items()):
            middle = y + self.gap / 2 + (number + 0.5) * self.row
            draw.text((start - self.gap, middle), label, PALE, self.font, anchor="rm")
            draw.rectangle((start, middle - half, start + self.bar, middle + half), GREY)
            end = start + share * self.bar
            draw.rectangle((start, middle - half, end, middle + half), tones[label])
            draw.text((x + width - self.gap, middle), f"{share:.0%}", PALE, self.font, anchor="rm")


def _meet(one: Box, other: Box) -> bool:
    return (
        one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    )
