"""The page «Read photos»."""

import re
from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from mien import LARGEST
from mien.app import markup, sheets
from mien.app.sheets import Sheet
from mien.crops import detection
from mien.errors import MienError, ModelError
from mien.inference import models
from mien.inference.classify import Classifier
from mien.inference.reader import Reader, Reading

EXPORTED = "models/export"
FILE = Path(EXPORTED, "model.onnx")
NOTICE = """
**What this is not.** It reads the expression that people would name when they see a face, not what
the person feels, and it is often wrong. Do not use it for decisions about people. At work and in
schools the EU prohibits systems that infer emotions, except for medical or safety reasons (AI Act,
Article 5(1)(f)).

**Your photos** stay in the memory of the computer that runs this app, until you take them away or
close the page. Nothing is stored.
"""


def show() -> None:
    """Show the page."""
    st.title("Read photos")
    st.html(markup.STYLE)
    with st.expander("Perceived expressions, not feelings; nothing is stored", expanded=True):
        st.markdown(NOTICE)
    files = _files()
    classifiers = _classifiers()
    confidence = st.slider(
        "Answer «unsure» below a confidence of", 0, 100, 50, 5, format="%d %%", key="confidence"
    )
    explained = st.toggle(
        "Heat maps",
        help="What in a face speaks for the likeliest answer, red, and what against it, blue.",
    )
    _read(files, classifiers, confidence / 100, explained)


def plain(text: str) -> str:
    """Return `text` so that Markdown shows it as it is."""
    return re.sub(r"([^\w\s])", r"\\\1", text, flags=re.ASCII)


def known() -> list[str]:
    """Return the names of the models that are there."""
    shipped = [name for name in models.SHIPPED if (models.PRETRAINED / f"{name}.onnx").is_file()]
    return shipped[::-1] + [EXPORTED] * FILE.is_file()


def _classifiers() -> dict[str, Classifier]:
    """Ask for one or two models; return those that can be loaded."""
    names = known()
    if not names:
        st.warning(
            "No model is here. `make` trains one on the built-in sample and leaves it in "
            f"`{EXPORTED}`; then load this page again. Or type the name of one in MLflow."
        )
    left, right = st.columns(2)
    chosen = [
        left.selectbox(
            "Model",
            names,
            index=0 if names else None,
            placeholder="models:/NAME@ALIAS",
            accept_new_options=True,
            help="One that is here, or type `models:/NAME@ALIAS` of MLflow.",
        ),
        right.selectbox(
            "Compare with",
            names,
            index=None,
            placeholder="no other model",
            accept_new_options=True,
            help="A second model reads the same photos beside the first.",
            key="other",
        ),
    ]
    found = {}
    for name in filter(None, chosen):
        try:
            found[name] = _classifier(name)
        except MienError as error:
            st.error(plain(str(error)))
    return found


def _classifier(name: str) -> Classifier:
    if name not in known() and not name.startswith("models:/"):
        raise ModelError(
            f"{name}: no such model; expected {', '.join([*known(), 'models:/NAME@ALIAS'])}"
        )
    return _loaded(name, FILE.stat().st_mtime_ns if name == EXPORTED else 0)


@st.cache_resource(max_entries=4, show_spinner="Loading the model …")
def _loaded(name: str, changed: int) -> Classifier:
    """Return the model; one that was exported anew, at another time `changed`, is another."""
    return models.load(name)


@st.cache_resource(show_spinner=False)
def _detector() -> detection.YuNet:
    return detection.YuNet()


def _files() -> Sequence[UploadedFile]:
    """Ask for photos; return no more than are read at a time."""
    source = st.radio("Photos from", ["Files", "Camera"], horizontal=True)
    if source == "Camera":
        taken = st.camera_input("Take a photo of people who agree to it", width=640)
        return [taken] if taken else []
    files = st.file_uploader(
        f"Up to {sheets.MOST} photos, each of up to {st.get_option('server.maxUploadSize')} MB and "
        f"{LARGEST // 10**6} megapixels",
        type="image",
        accept_multiple_files=True,
    )
    if len(files) > sheets.MOST:
        st.error(
            f"{len(files)} photos: only the first {sheets.MOST} are read. Take some away, or use "
            "`mien predict` for many."
        )
    return files[: sheets.MOST]


def _read(
    files: Sequence[UploadedFile],
    classifiers: dict[str, Classifier],
    confidence: float,
    explained: bool,
) -> None:
    """Show what each model reads in each photo, as soon as it is read, and offer it as CSV."""
    # Read once by each model, whatever is moved or clicked afterwards.
    kept: dict[tuple[str, Classifier], Sheet] = st.session_state.setdefault("sheets", {})
    for key in set(kept) - {(file.file_id, one) for file in files for one in classifiers.values()}:
        del kept[key]
    if not (files and classifiers):
        return
    detector = _detector()
    summary = st.container()
    readings: dict[str, list[Reading]] = {name: [] for name in classifiers}
    for file in files:
        read = {}
        for name, classifier in classifiers.items():
            key = file.file_id, classifier
            if key not in kept:
                with st.spinner(f"Reading {plain(file.name)} …"):
                    reader = Reader(classifier, detector)
                    kept[key] = sheets.read(file.name, file.getvalue(), reader)
            read[name] = kept[key]
            readings[name].append(sheets.abstaining(kept[key].reading, confidence))
        _photo(read, {name: readings[name][-1] for name in read}, explained)
    with summary:
        _summary(readings, classifiers)


def _photo(read: dict[str, Sheet], readings: dict[str, Reading], explained: bool) -> None:
    """Show one photo, a column for each model."""
    (first, *_) = readings.values()
    name = plain(str(first.path))
    if first.error is not None:
        st.error(f"{name}: {plain(first.error)}")
        return
    with st.container(border=True):
        st.markdown(f"#### {name}")
        for column, (model, sheet) in zip(st.columns(len(read)), read.items(), strict=True):
            with column:
                if len(read) > 1:
                    st.markdown(f"**{plain(model)}**")
                with st.spinner("Drawing heat maps …"):
                    heat_maps = sheet.heat_maps if explained else ()
                st.html(markup.drawn(sheet, readings[model].faces, heat_maps))


def _summary(readings: dict[str, list[Reading]], classifiers: dict[str, Classifier]) -> None:
    """Say how much was read, and offer each model's answers."""
    (first, *_) = readings.values()
    broken = sum(reading.error is not None for reading in first)
    parts = [
        _counted(len(first) - broken, "photo"),
        _counted(sum(len(reading.faces) for reading in first), "face"),
        *[f"{broken} unreadable"] * (broken > 0),
    ]
    st.markdown(f"**{', '.join(parts)}**")
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
