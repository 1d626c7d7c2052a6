"""Copies of photos and videos with boxes, answers and bars of probability drawn on them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from mien.errors import MienError
from mien.figures import UNKNOWN, colours
from mien.inference.output import placed, writing
from mien.inference.photos import is_video
from mien.inference.reader import Box, Face, Reading

# Smaller photos are enlarged to this longer side, so that the words can be read.
LEAST = 480
# If a face covers more than this fraction of the photo, its bars are drawn next to the photo.
FILLS = 0.6
# Scales of the bars, tried in this order until there is space.
SHARES = (1, 0.8, 0.65)
DARK, GREY, PALE = (20, 20, 20, 200), (95, 95, 95, 255), (240, 240, 240, 255)


def targets(paths: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Return the path of each file's copy: the files' tree under `folder`, as JPEG or MP4.

    Raises:
        MienError: a copy would overwrite a photo.
    """
    copies = {path: _named(path, copy) for path, copy in placed(paths, folder).items()}
    photos = {path.resolve() for path in paths}
    if clash := [copy for copy in copies.values() if copy.resolve() in photos]:
        raise MienError(f"--annotate {folder} would replace {clash[0]}; choose another folder")
    return copies


def _named(path: Path, copy: Path) -> Path:
    if is_video(path):
        return copy if copy.suffix.lower() == ".mp4" else Path(f"{copy}.mp4")
    return copy if copy.suffix.lower() in (".jpg", ".jpeg") else Path(f"{copy}.jpg")


class Copies:
    """Writes annotated copies; on leaving the block the last video is complete.

    A video's copy has its frames that were read, each as long as it stands for, and no sound.
    """

    def __init__(self, targets: Mapping[Path, Path], classes: Sequence[str], every: float) -> None:
        """Begin without a copy.

        Args:
            targets: the copy of each file, see `targets`.
            classes: of the model.
            every: seconds between a video's frames.
        """
        self._targets, self._classes, self._every = targets, classes, every
        self._path: Path | None = None
        self._video: cv2.VideoWriter | None = None

    def __enter__(self) -> "Copies":
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Complete the last video."""
        self._finish()

    def add(self, reading: Reading) -> None:
        """Write the copy of a photo, or the next frame of a video.

        Raises:
            MienError: it cannot be written.
        """
        copy = self._targets[reading.path]
        if reading.time is None:
            picture = drawn(reading.load(), reading.faces, self._classes)
            with writing(copy):
                picture.save(copy, "JPEG", quality=92)
            return
        picture = drawn(reading.load(), reading.faces, self._classes, reading.tracks, widen=False)
        frame = np.asarray(picture)[..., ::-1]
        # The coder takes even sides alone.
        frame = np.ascontiguousarray(frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2])
        if reading.path != self._path:
            self._finish()
            self._path = reading.path
            with writing(copy):
                copy.open("wb").close()
            code = cv2.VideoWriter.fourcc(*"mp4v")
            self._video = cv2.VideoWriter(str(copy), code, 1 / self._every, frame.shape[1::-1])
        assert self._video is not None  # noqa: S101
        self._video.write(frame)

    def _finish(self) -> None:
        if self._video is not None:
            self._video.release()
            self._video = None


def drawn(
    photo: np.ndarray,
    faces: Sequence[Face],
    classes: Sequence[str],
    tracks: Sequence[int] = (),
    widen: bool = True,
) -> Image.Image:
    """Return an annotated copy of `photo`, uint8, (H, W, 3), BGR.

    Each face gets a box and its answer, and its number if there are several. Its bars are drawn
    where they cover no other face, and are omitted if there is no such place.

    Args:
        photo: the pixels.
        faces: those found in it.
        classes: of the model.
        tracks: numbers of the faces in a video; empty: they are counted from 1.
        widen: make room for the bars beside a face that fills the photo; false for frames of a
            video, which all have the same size.
    """
    picture, share = _enlarged(Image.fromarray(photo[..., ::-1]))
    boxes = [_scaled(face.box, share) for face in faces]
    picture, edge = _widened(picture, boxes, classes) if widen else (picture, None)
    layer = Image.new("RGBA", picture.size)
    draw = ImageDraw.Draw(layer)
    tones = colours(classes)
    # The largest first; all answers before any bars.
    numbers = tracks or range(1, len(faces) + 1)
    rows = sorted(zip(numbers, faces, boxes, strict=True), key=lambda row: -row[2][3])
    taken = list(boxes)
    for number, face, box in rows:
        others = [one for one in taken if one is not box]
        text = f"{number} " if tracks or len(faces) > 1 else ""
        text += f"{face.emotion} {face.confidence:.0%}"
        colour = tones.get(face.emotion, UNKNOWN)
        taken.append(_answer(draw, text, box, colour, classes, others))
    for _, face, box in rows:
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
    draw: ImageDraw.ImageDraw,
    text: str,
    box: Box,
    colour: str,
    classes: Sequence[str],
    others: Sequence[Box],
) -> Box:
    """Draw the box, and the answer above, below or else inside it; return the answer's box.

    The answer is above or below only if it covers none of the `others`, faces and answers.
    """
    size = _font_size(box, draw.im.size, classes)
    font, line = ImageFont.load_default(size), max(2, round(size / 7))
    left, top, right, bottom = box[0], box[1], box[0] + box[2] - 1, box[1] + box[3] - 1
    # A dark outline on both sides, so that the line is visible on any background.
    draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=DARK, width=line + 2)
    draw.rectangle((left, top, right, bottom), outline=colour, width=line)
    width, height = round(font.getlength(text) + size), round(1.5 * size)
    # At the right edge of the photo it begins before the box.
    left = max(0, min(left, draw.im.size[0] - width))
    edge = draw.im.size[1] - height
    free = [
        at
        for at in (top - height, bottom + 1)
        if 0 <= at <= edge and not any(_meet((left, at, width, height), one) for one in others)
    ]
    above = free[0] if free else top
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
