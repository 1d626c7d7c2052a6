"""Annotated copies: what is drawn, where, and never over a photo."""

import cv2
import numpy as np
import pytest
from PIL import ImageColor

from mien.errors import MienError
from mien.figures import colours
from mien.inference import annotate
from mien.inference.reader import Face, Reading

CLASSES = ("happy", "neutral", "sad", "surprise")
SHARES = {"happy": 0.7, "neutral": 0.1, "sad": 0.15, "surprise": 0.05}
CROP = np.zeros((48, 48), np.uint8)
PLAIN = np.full((600, 900, 3), 77, np.uint8)


def face(x: int, y: int, side: int, emotion: str = "happy") -> Face:
    return Face((x, y, side, side), emotion, 0.7, SHARES, CROP)


def pixels(*faces: Face, photo: np.ndarray = PLAIN) -> np.ndarray:
    return np.asarray(annotate.drawn(photo, faces, CLASSES)).astype(int)


def share_of(picture: np.ndarray, colour: str) -> float:
    """Return which part of the picture has just this colour."""
    return float((picture == ImageColor.getrgb(colour)).all(axis=-1).mean())


def test_without_faces_a_copy_is_the_photo():
    assert np.array_equal(pixels(), PLAIN)


def test_a_face_gets_a_box_in_its_colour_and_keeps_its_pixels():
    picture = pixels(face(300, 200, 160))
    assert tuple(picture[280, 301]) == ImageColor.getrgb(colours(CLASSES)["happy"])
    assert (picture[210:350, 310:450] == 77).all()


def test_the_bars_are_as_long_as_the_probabilities():
    picture = pixels(face(300, 200, 160))[:, 470:]
    lengths = [share_of(picture, colours(CLASSES)[label]) for label in CLASSES]
    assert np.array(lengths) / sum(lengths) == pytest.approx([0.7, 0.1, 0.15, 0.05], abs=0.03)


def test_no_bars_and_no_answer_cover_another_face():
    faces = [face(40 + 210 * column, 60 + 270 * row, 120) for row in (0, 1) for column in range(4)]
    picture = pixels(*faces)
    for x, y, side, _ in (one.box for one in faces):
        assert (picture[y + 10 : y + side - 10, x + 10 : x + side - 10] == 77).all()


def test_unsure_is_white():
    assert tuple(pixels(face(300, 200, 160, "unsure"))[280, 301]) == (255, 255, 255)


def test_a_small_crop_is_enlarged_and_its_bars_stand_beside_it():
    photo = np.full((48, 48, 3), 77, np.uint8)
    picture = pixels(face(0, 0, 48), photo=photo)
    assert picture.shape[0] == annotate.LEAST < picture.shape[1]
    assert share_of(picture[:, : annotate.LEAST], colours(CLASSES)["sad"]) == 0
    assert share_of(picture[:, annotate.LEAST :], colours(CLASSES)["sad"]) > 0


@pytest.mark.parametrize("shape", [(1, 1), (2, 700), (900, 3)])
def test_photos_of_any_shape_can_be_drawn_on(shape):
    photo = np.full((*shape, 3), 77, np.uint8)
    height, width = shape
    whole = Face((0, 0, width, height), "sad", 1.0, dict.fromkeys(CLASSES, 0.25), CROP)
    assert pixels(whole, photo=photo).size


def test_other_classes_have_colours_of_their_own():
    tones = colours(("angry", "contempt", "bored"))
    assert len(set(tones.values())) == 3


def test_copies_keep_the_tree_of_the_photos(tmp_path):
    paths = [tmp_path / name for name in ("in/a/1.jpg", "in/b/1.jpg", "in/b/1.png")]
    copies = annotate.targets(paths, tmp_path / "out")
    names = [path.relative_to(tmp_path / "out").as_posix() for path in copies.values()]
    assert names == ["a/1.jpg", "b/1.jpg", "b/1.png.jpg"]


def test_a_copy_never_replaces_a_photo(tmp_path):
    paths = [tmp_path / name for name in ("in/1.jpg", "in/b/1.jpg")]
    for folder in ("in", "in/../in", "in/b"):
        with pytest.raises(MienError, match=r"would replace .*1\.jpg; choose another folder"):
            annotate.targets(paths, tmp_path / folder)


def frames_of(path):
    video = cv2.VideoCapture(str(path))
    rate = video.get(cv2.CAP_PROP_FPS)
    frames = []
    while (got := video.read())[0]:
        frames.append(got[1])
    video.release()
    return rate, frames


def test_the_copy_of_a_video_shows_its_frames_for_as_long_as_they_stand(tmp_path):
    # Odd sides, and a face that fills a frame, which of a photo would make the copy wider.
    photo = np.full((601, 901, 3), 77, np.uint8)
    faces = [[face(300, 200, 160)], [], [Face((0, 0, 901, 601), "sad", 0.7, SHARES, CROP)]]
    path = tmp_path / "clip.mov"
    targets = annotate.targets([path, tmp_path / "b.ts"], tmp_path / "out")
    assert [copy.name for copy in targets.values()] == ["clip.mov.mp4", "b.ts.mp4"]
    with annotate.Copies(targets, CLASSES, every=0.25) as copies:
        for number, found in enumerate(faces):
            copies.add(Reading(path, found, lambda: photo, time=number / 4))
        copies.add(Reading(tmp_path / "b.ts", [], lambda: PLAIN, time=0))
    rate, frames = frames_of(tmp_path / "out/clip.mov.mp4")
    assert rate == pytest.approx(4)
    assert [frame.shape for frame in frames] == [(600, 900, 3)] * 3
    red, green, blue = ImageColor.getrgb(colours(CLASSES)["happy"])
    # The box on its left side, which no coder leaves quite as it was.
    assert np.abs(frames[0][280, 301].astype(int) - (blue, green, red)).max() < 60
    assert np.abs(frames[1].astype(int) - 77).mean() < 4
    assert len(frames_of(tmp_path / "out/b.ts.mp4")[1]) == 1


def test_an_answer_covers_no_face_above_its_own():
    # One face right over the other: the lower one's answer has no room above.
    picture = pixels(face(300, 100, 160), face(300, 262, 160, "sad"))
    assert (picture[110:250, 310:450] == 77).all()


@pytest.mark.parametrize("tracks", [(), (7, 8)])
def test_several_faces_have_the_numbers_of_the_table(monkeypatch, tracks):
    said = []
    true = annotate._answer
    monkeypatch.setattr(annotate, "_answer", lambda *given: said.append(given[1]) or true(*given))
    annotate.drawn(PLAIN, [face(100, 200, 90), face(300, 200, 160, "sad")], CLASSES, tracks)
    first, second = tracks or (1, 2)
    assert sorted(said) == [f"{first} happy 70%", f"{second} sad 70%"]
    said.clear()
    annotate.drawn(PLAIN, [face(300, 200, 160)], CLASSES)
    assert said == ["happy 70%"]


def test_an_answer_at_the_right_edge_is_whole():
    edge = face(880, 300, 20)
    tone = colours(CLASSES)["happy"]
    # As much of its ground as of one in the middle.
    shares = [share_of(pixels(one)[270:300], tone) for one in (edge, face(400, 300, 20))]
    assert shares[0] == pytest.approx(shares[1], rel=0.1)
