"""Photos, boxes and bars as HTML with real text, for narrow screens and screen readers.

Everything that comes from a file, including its name and a model's classes, is escaped.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape

import cv2
import numpy as np

from mien.app.sheets import Sheet
from mien.inference.colours import UNKNOWN, colours
from mien.inference.reader import UNSURE, Face

# Longer side of a photo on the page, CSS pixels: small ones are enlarged to make boxes visible.
LEAST, MOST = 320, 640
# Boxes that start in this top part of a photo have their label inside.
TOP = 0.08
STYLE = """<style>
.mien-sheet { display: flex; flex-wrap: wrap; gap: 1rem 1.5rem; align-items: flex-start; }
.mien-photo { position: relative; max-width: 100%; margin: 0; }
.mien-photo > img { display: block; width: 100%; border-radius: .25rem; }
.mien-box { position: absolute; border: 2px solid; outline: 1px solid #141414;
  box-shadow: inset 0 0 0 1px #141414; }
.mien-box > span { position: absolute; left: -3px; bottom: calc(100% + 3px); padding: 0 .35rem;
  background: #141414; color: #fff; font-size: .8rem; line-height: 1.4; white-space: nowrap; }
.mien-box > span.mien-inside { bottom: auto; top: -2px; }
.mien-faces { flex: 1 1 17rem; display: grid; gap: 1.25rem;
  grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); }
.mien-face { display: flex; gap: .75rem; align-items: flex-start; max-width: 26rem; }
.mien-crops { display: grid; gap: .5rem; flex: none; }
.mien-crops > img { width: 4.5rem; height: 4.5rem; border-radius: .25rem; }
.mien-crops + div { flex: 1; min-width: 0; }
.mien-answer { font-weight: 600; line-height: 1.2; margin-bottom: .35rem; }
.mien-unsure { font-weight: 400; border: 1px dashed; border-radius: .25rem; padding: 0 .3rem; }
.mien-bars { display: grid; grid-template-columns: minmax(0, max-content) 1fr max-content;
  gap: .1rem .5rem; align-items: center; font-size: .875rem; }
.mien-bar { display: contents; }
.mien-track { height: .7rem; background: rgba(128, 128, 128, .25); border-radius: .2rem; }
.mien-fill { display: block; height: 100%; min-width: 1px; border-radius: .2rem;
  box-shadow: inset 0 0 0 1px rgba(60, 60, 60, .45); }
.mien-share { text-align: right; font-variant-numeric: tabular-nums; }
</style>"""


def drawn(sheet: Sheet, faces: Sequence[Face], heat_maps: Sequence[np.ndarray] = ()) -> str:
    """Return a photo with its boxes, and next to it a card with bars for each face.

    Args:
        sheet: the photo.
        faces: its faces, possibly `unsure`; if there are several, they are numbered in order.
        heat_maps: heat map of each face, RGB; empty: not shown.
    """
    tones = colours(sheet.reader.classes)
    return (
        f'<div class="mien-sheet">{_photo(sheet, faces, tones)}'
        f"{_cards(faces, heat_maps, tones) if faces else 'No face found.'}</div>"
    )


def _photo(sheet: Sheet, faces: Sequence[Face], tones: Mapping[str, str]) -> str:
    width, height = sheet.size
    shown = min(max(LEAST, max(width, height)), MOST) * width / max(width, height)
    boxes = []
    for number, face in enumerate(faces, 1):
        left, top = face.box[0] / width, face.box[1] / height
        across, down = face.box[2] / width, face.box[3] / height
        place = f"left:{left:.3%};top:{top:.3%};width:{across:.3%};height:{down:.3%}"
        inside = ' class="mien-inside"' if top < TOP else ""
        label = str(number) if len(faces) > 1 else escape(face.emotion)
        tone = tones.get(face.emotion, UNKNOWN)
        boxes.append(
            f'<div class="mien-box" style="{place};border-color:{tone}">'
            f"<span{inside}>{label}</span></div>"
        )
    count = {0: "no face found", 1: "one face"}.get(len(faces), f"{len(faces)} faces")
    name = escape(str(sheet.reading.path))
    return (
        f'<div class="mien-photo" style="width:{shown:.0f}px">'
        f'<img alt="The photo {name}, {count}" src="{_url(sheet.picture, "jpeg")}">'
        f"{''.join(boxes)}</div>"
    )


def _cards(faces: Sequence[Face], heat_maps: Sequence[np.ndarray], tones: Mapping[str, str]) -> str:
    items = []
    for number, face in enumerate(faces, 1):
        name = f"{number} " if len(faces) > 1 else ""
        pictures = f'<img alt="Face {name}as the model saw it" src="{_png(face.crop)}">'
        if len(heat_maps):
            heat = _png(heat_maps[number - 1][..., ::-1])
            pictures += (
                f'<img alt="Face {name}under the heat map for {escape(face.likeliest)}" '
                f'src="{heat}">'
            )
        items.append(
            f'<div class="mien-face" role="listitem"><div class="mien-crops">{pictures}</div>'
            f"<div>{_answer(face, name, tones)}</div></div>"
        )
    return f'<div class="mien-faces" role="list">{"".join(items)}</div>'


def _answer(face: Face, number: str, tones: Mapping[str, str]) -> str:
    answer = f"{number}{escape(face.likeliest)} {face.confidence:.0%}"
    if face.emotion == UNSURE:
        answer = f'{number}<span class="mien-unsure">{UNSURE}</span>'
    bars = "".join(
        f'<div class="mien-bar" role="listitem"><span>{escape(label)}</span>'
        f'<span class="mien-track"><span class="mien-fill" '
        f'style="width:{share:.2%};background:{tones[label]}"></span></span>'
        f'<span class="mien-share">{share:.0%}</span></div>'
        for label, share in face.probabilities.items()
    )
    return (
        f'<div class="mien-answer">{answer}</div>'
        f'<div class="mien-bars" role="list" aria-label="Probabilities">{bars}</div>'
    )


def _png(picture: np.ndarray) -> str:
    return _url(cv2.imencode(".png", picture)[1].tobytes(), "png")


def _url(image: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{b64encode(image).decode()}"
