"""Arrays of NumPy: shapes, ranges, pairs of names; objects are refused."""

import io

import numpy as np
import pytest

from sources.made_sets import CLASSES, built, content, every, put, read, refusal

CODES = {str(code): label for code, label in enumerate(CLASSES)}
ROWS = list(every(splits=(None,)))
IMAGES = np.stack([image for *_, image in ROWS])
LABELS = np.array([CLASSES.index(label) for label, *_ in ROWS])


def saved(array, **how):
    data = io.BytesIO()
    np.save(data, array, **how)
    return data.getvalue()


SHAPES = {
    "grey": (IMAGES, LABELS),
    "with an axis": (IMAGES[..., None], LABELS[:, None] * 0 + LABELS[:, None]),
    "flat": (IMAGES.reshape(len(IMAGES), -1), LABELS),
    "three channels": (np.repeat(IMAGES[..., None], 3, axis=3), LABELS),
    "floats of 0 to 1": (IMAGES / np.float32(255), LABELS),
    "floats of 0 to 255": (IMAGES.astype(np.float64), LABELS.astype(float)),
    "one-hot labels": (IMAGES, np.eye(7)[LABELS]),
}


@pytest.mark.parametrize("shape", [name for name in SHAPES if name != "with an axis"])
def test_pictures_of_every_shape_are_read(shape, tmp_path):
    images, labels = SHAPES[shape]
    put(tmp_path / "X.npy", saved(images))
    put(tmp_path / "y.npy", saved(labels))
    _, items = read(tmp_path, CODES)
    assert content(items) == built(splits=(None,))


def test_names_as_labels_need_no_map(tmp_path):
    names = np.array([label for label, *_ in ROWS])
    np.savez(tmp_path / "faces.npz", images=IMAGES, labels=names)
    for path in (tmp_path, tmp_path / "faces.npz"):
        _, items = read(path)
        assert content(items) == built(splits=(None,))


def test_codes_are_refused_until_labels_say_what_they_mean(tmp_path):
    np.savez(tmp_path / "faces.npz", X=IMAGES, y=LABELS)
    assert "data.labels" in refusal(tmp_path)


def test_pairs_are_told_by_their_endings_which_are_splits(tmp_path):
    rows = list(every())
    for split in ("train", "test"):
        own = [row for row in rows if row[1] == split]
        put(tmp_path / f"X_{split}.npy", saved(np.stack([image for *_, image in own])))
        put(tmp_path / f"y_{split}.npy", saved(np.array([row[0] for row in own])))
    _, items = read(tmp_path)
    assert content(items) == built()


def test_the_same_pictures_twice_are_read_once(tmp_path):
    put(tmp_path / "X.npy", saved(IMAGES))
    put(tmp_path / "y.npy", saved(LABELS))
    np.savez(tmp_path / "faces.npz", X=IMAGES, y=LABELS)
    source, items = read(tmp_path, CODES)
    assert content(items) == built(splits=(None,))
    assert [len(names) for names in source.left_out.values()] == [1]


BAD = {
    "objects": (saved(np.array([{}, {}], object), allow_pickle=True), "cannot be read"),
    "no array": (b"no array", "cannot be read"),
    "cut off": (saved(IMAGES)[:200], "cannot be read"),
    "one row less": (saved(IMAGES[1:]), "expected a label for each picture"),
    "one axis": (saved(np.arange(14)), "expected pictures of shape"),
    "large numbers": (saved(IMAGES * np.int64(2)), "expected values 0 to 1 or 0 to 255"),
    "not a number": (saved(np.full(IMAGES.shape, np.nan)), "expected values 0 to 1 or 0 to 255"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_array_of_pictures_is_one_line(kind, tmp_path):
    data, message = BAD[kind]
    put(tmp_path / "X.npy", data)
    put(tmp_path / "y.npy", saved(LABELS))
    assert message in refusal(tmp_path, CODES)


def test_a_broken_npz_is_one_line(tmp_path):
    put(tmp_path / "a.npz", b"PK\x03\x04 nothing")
    assert "no sound .npz file" in refusal(tmp_path / "a.npz")
