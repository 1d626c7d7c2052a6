"""Photos, boxes and bars as HTML with real text, for narrow screens and screen readers.

Everything that comes from a file, including its name and a model's classes, is escaped.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape

import cv2
import numpy as np

from mien.app.sheets import HEAT, Sheet
from mien.figures import UNKNOWN, colours
from mien.inference.explain import COLOURS
from mien.inference.reader import UNSURE, Face

# Longer side of a photo on the page, CSS pixels: small ones are enlarged to make boxes visible.
LEAST, MOST = 320, 640
# Maximum share of the screen's height for a photo, so that its bars are visible, too.
SHARE = 46
# Boxes that start in this top part of a photo have their label inside.
TOP = 0.08
# Bars that are seen at once; the others are folded away.
BARS = 3
# The numbers of this many faces at most stand beside a photo, not under it.
BESIDE = 2
_LEGEND = ", ".join(f"rgb({red},{green},{blue})" for red, green, blue in COLOURS)
STYLE = f"""<style>
.stMainBlockContainer {{ padding-top: 4rem; padding-bottom: 2rem; }}
.stMainBlockContainer > .stVerticalBlock {{ gap: .6rem; }}
.stMainBlockContainer h1 {{ font-size: 1.4rem; padding: 0 0 1rem; }}
.stFileUploader section {{ padding: .4rem .75rem; min-height: 0; }}
.mien-sheet {{ display: flex; flex-wrap: wrap; gap: .75rem 1.5rem; align-items: flex-start; }}
.mien-photo {{ position: relative; max-width: 100%; margin: 0; }}
.mien-photo > img {{ display: block; width: 100%; border-radius: .25rem; }}
.mien-box {{ position: absolute; border: 2px solid; outline: 1px solid #141414;
  box-shadow: inset 0 0 0 1px #141414; }}
.mien-box > span {{ position: absolute; left: -3px; bottom: calc(100% + 3px); padding: 0 .35rem;
  background: #141414; color: #fff; font-size: .8rem; line-height: 1.4; white-space: nowrap; }}
.mien-box > span.mien-inside {{ bottom: auto; top: -2px; }}
.mien-faces {{ flex: 1 1 100%; display: grid; gap: .75rem 1.25rem;
  grid-template-columns: repeat(auto-fill, minmax(min(15rem, 100%), 1fr)); }}
.mien-faces.mien-beside {{ flex: 1 1 15rem; }}
.mien-face {{ display: flex; gap: .75rem; align-items: flex-start; max-width: 24rem; }}
.mien-face > img {{ width: 4rem; height: 4rem; border-radius: .25rem; flex: none; }}
.mien-face > div {{ flex: 1; min-width: 0; }}
.mien-answer {{ font-weight: 600; line-height: 1.2; margin-bottom: .2rem; }}
.mien-unsure {{ font-weight: 400; border: 1px dashed; border-radius: .25rem; padding: 0 .3rem; }}
.mien-bars {{ display: grid; grid-template-columns: 4.5rem 1fr 2.5rem;
  gap: 0 .5rem; align-items: center; font-size: .8rem; line-height: 1.35; }}
.mien-bar {{ display: contents; }}
.mien-bar > span:first-child {{ overflow: hidden; text-overflow: ellipsis; }}
.mien-track {{ height: .65rem; background: rgba(128, 128, 128, .25); border-radius: .2rem; }}
.mien-fill {{ display: block; height: 100%; min-width: 1px; border-radius: .2rem;
  box-shadow: inset 0 0 0 1px rgba(60, 60, 60, .45); }}
.mien-share {{ text-align: right; font-variant-numeric: tabular-nums; }}
.mien-face summary {{ cursor: pointer; font-size: .8rem; opacity: .8; }}
.mien-table {{ flex: 1 1 100%; overflow-x: auto; }}
.mien-both {{ width: 100%; border-collapse: collapse; font-size: .9rem; }}
.mien-both td, .mien-both th {{ text-align: left; padding: .25rem .6rem;
  border-bottom: 1px solid rgba(128, 128, 128, .3); }}
.mien-both img {{ width: 2.5rem; height: 2.5rem; border-radius: .2rem; display: block; }}
.mien-both tr.mien-differs td {{ background: rgba(213, 94, 0, .22); font-weight: 600; }}
.mien-heats {{ display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min({2 * HEAT}px, 100%), 1fr)); }}
.mien-heats figure {{ margin: 0; }}
.mien-heats img {{ width: calc(50% - .3rem); max-width: {HEAT}px; border-radius: .25rem; }}
.mien-legend {{ display: flex; gap: .6rem; align-items: center; font-size: .85rem;
  margin-bottom: .6rem; }}
.mien-legend > i {{ flex: 0 1 12rem; height: .8rem; border-radius: .2rem;
  background: linear-gradient(90deg, {_LEGEND}); }}
</style>"""


def drawn(sheet: Sheet, faces: Sequence[Face]) -> str:
    """Return a photo with its boxes, and a card with bars for each face.

    Args:
        sheet: the photo.
        faces: its faces, possibly `unsure`; if there are several, they are numbered in order.
    """
    tones = colours(sheet.reader.classes)
    return (
        f'<div class="mien-sheet">{_photo(sheet, faces, tones)}'
        f"{_cards(faces, tones) if faces else 'No face found.'}</div>"
    )


def compared(sheet: Sheet, answers: Mapping[str, Sequence[Face]]) -> str:
    """Return a photo with the boxes of its faces, and a row for each face: who says what.

    Args:
        sheet: the photo.
        answers: of each model what it reads, where it abstains; all found the same faces. Rows
            whose answers differ are marked.
    """
    (first, *_) = answers.values()
    tones = colours(sheet.reader.classes)
    heads = "".join(f"<th>{escape(model)}</th>" for model in answers)
    rows = []
    for number, each in enumerate(zip(*answers.values(), strict=True), 1):
        differs = len({face.emotion for face in each}) > 1
        cells = "".join(f"<td>{_said(face)}</td>" for face in each)
        mark = ' class="mien-differs"' if differs else ""
        picture = f'<img alt="Face {number}" src="{_png(each[0].crop)}">'
        rows.append(
            f"<tr{mark}><td>{number}</td><td>{picture}</td>{cells}"
            f"<td>{'≠ differ' if differs else 'agree'}</td></tr>"
        )
    table = (
        f'<table class="mien-both"><tr><th>#</th><th>face</th>{heads}<th></th></tr>'
        f"{''.join(rows)}</table>"
    )
    body = f'<div class="mien-table">{table}</div>' if first else "No face found."
    return f'<div class="mien-sheet">{_photo(sheet, first, tones)}{body}</div>'


def heats(faces: Sequence[Face], heat_maps: Sequence[np.ndarray]) -> str:
    """Return each face large beside its heat map, RGB, and what the colours mean."""
    figures = "".join(
        f'<figure><img alt="Face {number} as the model saw it" src="{_png(face.crop)}"> '
        f'<img alt="Face {number} under the heat map for {escape(face.likeliest)}" '
        f'src="{_png(heat[..., ::-1])}"><figcaption>{number} {escape(face.likeliest)} '
        f"{face.confidence:.0%}</figcaption></figure>"
        for number, (face, heat) in enumerate(zip(faces, heat_maps, strict=True), 1)
    )
    legend = (
        '<div class="mien-legend"><span>speaks against the answer</span><i></i><span>speaks for it'
        "</span></div>"
    )
    return f'{legend}<div class="mien-heats">{figures}</div>'


def _photo(sheet: Sheet, faces: Sequence[Face], tones: Mapping[str, str]) -> str:
    width, height = sheet.size
    shown = min(max(LEAST, max(width, height)), MOST) * width / max(width, height)
    boxes = []
    for number, face in enumerate(faces, 1):
        left, top = face.box[0] / width, face.box[1] / height
        across, down = face.box[2] / width, face.box[3] / height
        place = f"left:{left:.3%};top:{top:.3%};width:{across:.3%};height:{down:.3%}"
        inside = ' class="mien-inside"' if top < TOP else ""
        label = f"{_number(number, faces)}{escape(face.emotion)}"
        tone = tones.get(face.emotion, UNKNOWN)
        boxes.append(
            f'<div class="mien-box" style="{place};border-color:{tone}">'
            f"<span{inside}>{label}</span></div>"
        )
    count = {0: "no face found", 1: "one face"}.get(len(faces), f"{len(faces)} faces")
    name = escape(str(sheet.reading.path))
    return (
        f'<div class="mien-photo" style="width:min({shown:.0f}px,{SHARE * width / height:.1f}vh)">'
        f'<img alt="The photo {name}, {count}" src="{_url(sheet.picture, "jpeg")}">'
        f"{''.join(boxes)}</div>"
    )


def _number(number: int, faces: Sequence[Face]) -> str:
    return f"{number} " if len(faces) > 1 else ""


def _cards(faces: Sequence[Face], tones: Mapping[str, str]) -> str:
    items = []
    for number, face in enumerate(faces, 1):
        name = _number(number, faces)
        picture = f'<img alt="Face {name}as the model saw it" src="{_png(face.crop)}">'
        items.append(
            f'<div class="mien-face" role="listitem">{picture}'
            f"<div>{_answer(face, name, tones)}</div></div>"
        )
    beside = " mien-beside" if len(faces) <= BESIDE else ""
    return f'<div class="mien-faces{beside}" role="list">{"".join(items)}</div>'


def _said(face: Face) -> str:
    """Return the answer in words."""
    if face.emotion == UNSURE:
        return f'<span class="mien-unsure">{UNSURE}</span>'
    return f"{escape(face.emotion)} {face.confidence:.0%}"


def _answer(face: Face, number: str, tones: Mapping[str, str]) -> str:
    """Return the answer, the likeliest three bars, and all of them folded."""
    likely = sorted(face.probabilities.items(), key=lambda item: -item[1])[:BARS]
    rest = ""
    if len(face.probabilities) > BARS:
        count = len(face.probabilities)
        rest = (
            f"<details><summary>all {count}</summary>{_bars(face.probabilities, tones)}</details>"
        )
    return f'<div class="mien-answer">{number}{_said(face)}</div>{_bars(dict(likely), tones)}{rest}'


def _bars(shares: Mapping[str, float], tones: Mapping[str, str]) -> str:
    bars = "".join(
        f'<div class="mien-bar" role="listitem"><span>{escape(label)}</span>'
        f'<span class="mien-track"><span class="mien-fill" '
        f'style="width:{share:.2%};background:{tones[label]}"></span></span>'
        f'<span class="mien-share">{share:.0%}</span></div>'
        for label, share in shares.items()
    )
    return f'<div class="mien-bars" role="list" aria-label="Probabilities">{bars}</div>'


def _png(picture: np.ndarray) -> str:
    return _url(cv2.imencode(".png", picture)[1].tobytes(), "png")


def _url(image: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{b64encode(image).decode()}"
