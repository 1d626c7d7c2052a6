"""The page «Read photos»."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from mien import LARGEST
from mien.app import markup, sheets
from mien.app.sheets import Sheet
from mien.crops.detection import YuNet
from mien.errors import MienError, ModelError
from mien.figures import colours
from mien.inference import models
from mien.inference.classify import Classifier
from mien.inference.models import DRAWN
from mien.inference.reader import Reader, Reading

EXPORTED = "models/export"
FILE = Path(EXPORTED, "model.onnx")
# The page that reads the browser's camera itself; `make live` builds it.
LIVE = Path("docs/_build/live")
# Drawn persons: scripts/examples.py made them.
EXAMPLES = {"One person": "one.jpg", "Six persons": "six.jpg", "A video": "clip.mp4"}
NOTICE = """
**Limits.** The model predicts the expression that people would name when they see a face, not what
the person feels, and it is often wrong. Do not use it for decisions about people. At work and in
schools the EU prohibits systems that infer emotions, except for medical or safety reasons (AI Act,
Article 5(1)(f)).

**Your photos** stay in the memory of the computer that runs this app until you remove them or close
the page. Nothing is stored.
"""
# Faces of a video whose chart is shown, those seen longest.
CHARTS = 6


@dataclass(frozen=True)
class File:
    """What is to be read.

    Attributes:
        key: tells it from others, also of the same name.
        name: of the file.
        data: its bytes.
    """

    key: str
    name: str
    data: bytes


def show() -> None:
    """Show the page."""
    st.html(markup.STYLE)
    st.title("Read photos")
    with st.expander("Perceived expressions, not feelings; nothing is stored"):
        st.markdown(NOTICE)
    with st.sidebar:
        classifiers = _classifiers()
        confidence = st.slider(
            "Answer «unsure» below a confidence of",
            0, 100, 50, 5, format="%d %%", key="confidence",
        )  # fmt: skip
        explained = st.toggle("Heat maps: what the model looked at")
        if LIVE.is_dir():
            # A path of this server, where `make app` serves it.
            st.html('<a href="/live/" target="_blank">Live camera: read in the browser</a>')
    _read(_files(), classifiers, confidence / 100, explained)


def plain(text: str) -> str:
    """Return `text` escaped for Markdown."""
    return re.sub(r"([^\w\s])", r"\\\1", text, flags=re.ASCII)


def known() -> list[str]:
    """Return the names of the available models."""
    shipped = [name for name in models.SHIPPED if (models.PRETRAINED / f"{name}.onnx").is_file()]
    return shipped + [EXPORTED] * FILE.is_file()


def _classifiers() -> dict[str, Classifier]:
    """Ask for one or two models; return those that can be loaded."""
    names = known()
    if not names:
        st.warning(
            "No model is here. `make` trains one on the built-in sample and leaves it in "
            f"`{EXPORTED}`; then load this page again. Or type the name of one in MLflow."
        )
    chosen = [
        st.selectbox(
            "Model",
            names,
            index=0 if names else None,
            placeholder="models:/NAME@ALIAS",
            accept_new_options=True,
        ),
        st.selectbox(
            "Compare with",
            names,
            index=None,
            placeholder="no other model",
            accept_new_options=True,
            key="other",
        ),
    ]
    st.caption("One that is here, or type `models:/NAME@ALIAS` of MLflow.")
    found = {}
    for name in filter(None, chosen):
        try:
            found[name] = _classifier(name)
        except MienError as error:
            st.error(f"This model cannot be used. {plain(str(error))}.")
            continue
        if found[name].drawn:
            st.warning(f"{plain(name)} {DRAWN}.")
    return found


def _classifier(name: str) -> Classifier:
    if name not in known() and not name.startswith("models:/"):
        raise ModelError(
            f"{name}: no such model; expected {', '.join([*known(), 'models:/NAME@ALIAS'])}"
        )
    return _loaded(name, FILE.stat().st_mtime_ns if name == EXPORTED else 0)


@st.cache_resource(max_entries=4, show_spinner="Loading the model …")
def _loaded(name: str, changed: int) -> Classifier:
    """Return the model; `changed` makes the cache reload a model that was exported again."""
    return models.load(name)


@st.cache_resource(show_spinner=False)
def _detector() -> YuNet:
    return YuNet()


def _files() -> Sequence[File]:
    """Ask for photos and videos; return at most the number read at a time, or the example."""
    source = st.radio(
        "Photos from", ["Files", "Camera"], horizontal=True, label_visibility="collapsed"
    )
    if source == "Camera":
        taken = st.camera_input("Take a photo of people who agree to it", width=640)
        return [File(taken.file_id, taken.name, taken.getvalue())] if taken else []
    files = st.file_uploader(
        f"Up to {sheets.MOST} photos or videos, each of up to "
        f"{st.get_option('server.maxUploadSize')} MB and {LARGEST // 10**6} megapixels",
        type=["image", "video"],
        accept_multiple_files=True,
        label_visibility="collapsed",
    )
    if files:
        st.session_state.pop("example", None)
    else:
        _examples()
    if len(files) > sheets.MOST:
        st.error(
            f"{len(files)} files were given, and only the first {sheets.MOST} are read. Take some "
            "away."
        )
    if name := st.session_state.get("example"):
        path = Path(__file__).with_name("examples") / EXAMPLES[name]
        return [File(name, path.name, path.read_bytes())]
    return [File(one.file_id, one.name, one.getvalue()) for one in files[: sheets.MOST]]


def _examples() -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("Drawn examples:", width="content")
        for name in EXAMPLES:
            st.button(name, on_click=partial(st.session_state.__setitem__, "example", name))


def _read(
    files: Sequence[File],
    classifiers: dict[str, Classifier],
    confidence: float,
    explained: bool,
) -> None:
    """Show each model's answers for each photo as they arrive, and offer them as CSV."""
    # Read once by each model, whatever is changed on the page afterwards.
    kept: dict[tuple[str, Classifier], Sheet] = st.session_state.setdefault("sheets", {})
    for key in set(kept) - {(file.key, one) for file in files for one in classifiers.values()}:
        del kept[key]
    if not (files and classifiers):
        return
    summary = st.empty()
    readings: dict[str, list[Reading]] = {name: [] for name in classifiers}
    for file in files:
        read = {}
        for name, classifier in classifiers.items():
            key = file.key, classifier
            if key not in kept:
                with st.spinner(f"Reading {plain(file.name)} …"):
                    reader = Reader(classifier, _detector())
                    kept[key] = sheets.read(file.name, file.data, reader)
            read[name] = kept[key]
            of = kept[key].frames or [kept[key].reading]
            readings[name] += [sheets.abstaining(one, confidence) for one in of]
        _photo(file, read, confidence, explained)
    (first, *_) = classifiers.values()
    _summary(summary, [kept[file.key, first] for file in files])
    _downloads(readings, classifiers)


def _photo(file: File, read: Mapping[str, Sheet], confidence: float, explained: bool) -> None:
    """Show one photo or video: faces, bars, the answers of two models, and heat maps."""
    (first, *others) = read.values()
    if first.reading.error is not None:
        reason = plain(first.reading.error)
        st.error(f"{plain(file.name)} cannot be read: {reason}.")
        return
    with st.container(border=True, gap="small"):
        faces = {
            name: sheets.abstaining(sheet.reading, confidence).faces for name, sheet in read.items()
        }
        (shown, *_) = faces.values()
        st.html(markup.compared(first, faces) if others else markup.drawn(first, shown))
        if first.frames:
            st.caption(
                f"{plain(file.name)}: the frame with the most faces, and all of it over time."
            )
            for name, sheet in read.items():
                _timeline(sheet, f"{plain(name)}, " if others else "")
        else:
            st.caption(plain(file.name))
        if explained and shown:
            for name, sheet in read.items():
                with st.spinner("Drawing heat maps …"):
                    heats = markup.heats(sheet.reading.faces, sheet.heat_maps)
                if others:
                    st.markdown(f"**{plain(name)}**")
                st.html(heats)
        st.download_button(
            "Annotated copy",
            partial(sheets.annotated, first, confidence),
            f"{Path(file.name).stem}_annotated.{'mp4' if first.frames else 'jpg'}",
            "video/mp4" if first.frames else "image/jpeg",
            on_click="ignore",
            key=f"annotated {file.key}",
        )


def _timeline(sheet: Sheet, model: str) -> None:
    """Show the probabilities of each face of a video over time."""
    of = sheets.timelines(sheet)
    tones: list[Any] = [*colours(sheet.reader.classes).values()]
    for track in sorted(list(of)[:CHARTS]):
        st.markdown(f"{model}face {track}")
        st.area_chart(of[track], color=tones, height=180, x_label="time (s)", y_label="probability")
    if len(of) > CHARTS:
        st.caption(f"The {CHARTS} faces seen longest of {len(of)}; the CSV has all.")
    if not of:
        st.caption("No face was found in it.")


def _summary(place: "st.delta_generator.DeltaGenerator", read: Sequence[Sheet]) -> None:
    """Show how many photos and faces were read."""
    good = [sheet for sheet in read if sheet.reading.error is None]
    parts = [
        _counted(sum(not sheet.frames for sheet in good), "photo"),
        *[_counted(count, "video") for count in [sum(bool(one.frames) for one in good)] if count],
        _counted(sum(len(sheet.reading.faces) for sheet in good), "face"),
        *[f"{len(read) - len(good)} unreadable"] * (len(good) < len(read)),
    ]
    place.markdown(f"**{', '.join(part for part in parts if part != '0 photos' or not good)}**")


def _downloads(readings: dict[str, list[Reading]], classifiers: dict[str, Classifier]) -> None:
    """Offer each model's answers as CSV."""
    with st.container(horizontal=True):
        for name, classifier in classifiers.items():
            st.download_button(
                f"Answers of {plain(name)} (CSV)",
                sheets.table(readings[name], classifier.classes),
                f"{re.sub(r'[^A-Za-z0-9]+', '_', name)}.csv",
                "text/csv",
                on_click="ignore",
            )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
