"""Sets as their authors publish them: RAF-DB, AffectNet, FER+, ExpW, CK+, each with its codes.

The codes are written down here once more, from the authors' pages.
"""

import io

import cv2
import numpy as np
import pytest

from sources.made_sets import CLASSES, built, content, every, face, put, read, refusal, spelt

RAF = ["surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"]
AFFECTNET = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "angry"]
FERPLUS = ["neutral", "happy", "surprise", "sad", "angry", "disgust", "fear"]
CK = ["angry", "contempt", "disgust", "fear", "happy", "sad", "surprise"]


def test_rafdb_by_its_list_takes_the_aligned_pictures(tmp_path):
    lines = []
    for at, (label, split, _, image) in enumerate(every()):
        name = f"{split}_{at:05}"
        put(tmp_path / f"basic/Image/aligned/{name}_aligned.png", image)
        put(tmp_path / f"basic/Image/original/{name}.png", 255 - image)
        lines.append(f"{name}.jpg {RAF.index(label) + 1}")
    put(tmp_path / "basic/EmoLabel/list_patition_label.txt", "\n".join(lines))
    source, items = read(tmp_path)
    assert content(items) == built()
    assert source.forms == ["RAF-DB"]
    assert [len(names) for names in source.left_out.values()] == [28]


def test_rafdb_as_folders_of_codes(tmp_path):
    for label, split, number, image in every():
        code = RAF.index(label) + 1
        put(tmp_path / f"DATASET/{split}/{code}/{split}_{code}{number}_aligned.png", image)
    put(tmp_path / "train_labels.csv", "image,label\ntrain_10_aligned.png,1\n")
    source, items = read(tmp_path)
    assert content(items) == built()
    assert source.forms == ["RAF-DB"]


HEAD = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression\n"


def test_affectnet_by_its_lists_is_cut_to_the_box_and_its_validation_is_test(tmp_path):
    for split, name in (("train", "training"), ("test", "validation")):
        lines = []
        for label, _, number, image in every(splits=(split,)):
            framed = np.pad(image, ((1, 2), (3, 4)))
            place = f"{number}/{label}_{name}.png"
            put(tmp_path / "Manually_Annotated_Images" / place, framed)
            lines.append(f"{place},3,1,8,8,1;2,{AFFECTNET.index(label)}")
        lines.append("0/uncertain.png,0,0,8,8,1;2,9")
        put(tmp_path / "Manually_Annotated_file_lists" / f"{name}.csv", HEAD + "\n".join(lines))
    put(tmp_path / "Manually_Annotated_Images/0/uncertain.png", face("sad", "x", 1))
    source, items = read(tmp_path)
    assert content(items) == built()
    assert source.forms == ["AffectNet"]
    assert "AffectNet's pictures of uncertain" in source.left_out


@pytest.mark.parametrize("kind", [str, int])
def test_affectnet_by_files_of_annotations(kind, tmp_path):
    for at, (label, split, _, image) in enumerate(every(splits=("train", "test"))):
        folder = tmp_path / {"train": "train_set", "test": "val_set"}[split]
        put(folder / f"images/{at}.png", image)
        array = io.BytesIO()
        np.save(array, np.array(kind(AFFECTNET.index(label))))
        put(folder / f"annotations/{at}_exp.npy", array.getvalue())
        put(folder / f"annotations/{at}_val.npy", b"other values")
    _, items = read(tmp_path)
    assert content(items) == built()


def test_ferplus_takes_majorities_and_keeps_votes(tmp_path):
    folders = {"train": "FER2013Train", "test": "FER2013Test"}
    for split, folder in folders.items():
        lines = []
        for at, (label, _, _, image) in enumerate(every(splits=(split,))):
            votes = [0] * 10
            votes[FERPLUS.index(label)], votes[7] = 8, 2
            put(tmp_path / f"data/{folder}/fer{at:07}.png", image)
            lines.append(f'fer{at:07}.png,"(0, 0, 48, 48)",{",".join(map(str, votes))}')
        for name, votes in (("tie", [4, 4, 0]), ("unknown", [1, 0, 0])):
            counts = [*votes, *[0] * 5, 9 * (name == "unknown"), 0]
            put(tmp_path / f"data/{folder}/{name}.png", face(name, split, 0))
            lines.append(f'{name}.png,"(0, 0, 48, 48)",{",".join(map(str, counts))}')
        put(tmp_path / f"data/{folder}/label.csv", "\n".join(lines))
    source, items = read(tmp_path)
    assert content(items) == built()
    assert {(item.votes[item.label], item.votes["contempt"]) for item in items} == {(8, 2)}
    assert {kind: len(names) for kind, names in source.left_out.items()} == {
        "pictures whose votes are tied": 2,
        "pictures that most people call unknown": 2,
    }


def test_data_labels_merge_classes_of_a_published_set_too(tmp_path):
    for label, split, number, image in every():
        code = RAF.index(label) + 1
        put(tmp_path / f"DATASET/{split}/{code}/{split}_{code}{number}_aligned.png", image)
    source, items = read(tmp_path, {"disgust": "angry", "fear": None})
    assert sum(item.label == "angry" for item in items) == 8
    assert "fear" not in {item.label for item in items}
    assert [len(names) for names in source.left_out.values()] == [4]


def test_expw_cuts_each_face_out_of_its_picture(tmp_path):
    scene = np.zeros((20, 40), np.uint8)
    faces = {"happy": (2, 1), "sad": (10, 25)}
    lines = []
    for at, (label, (top, left)) in enumerate(faces.items()):
        scene[top : top + 8, left : left + 8] = face(label, None, 0)
        code = CLASSES.index(label)
        lines.append(f"scene.png {at} {top} {left} {left + 8} {top + 8} 50.5 {code}")
    put(tmp_path / "image/origin/scene.png", cv2.cvtColor(scene, cv2.COLOR_GRAY2BGR))
    put(tmp_path / "label/label.lst", "\n".join(lines))
    _, items = read(tmp_path)
    assert content(items) == {(face(label, None, 0).tobytes(), label, None): 1 for label in faces}


def test_ckplus_takes_the_last_frame_of_sequences_with_an_emotion(tmp_path):
    for at, label in enumerate(CK):
        for frame in range(1, 4):
            name = f"S{at:03}_001_{frame:08}"
            put(tmp_path / f"cohn/S{at:03}/001/{name}.png", face(label, None, frame))
            put(tmp_path / f"cohn/S{at:03}/002/S{at:03}_002_{frame:08}.png", face("x", at, frame))
        put(tmp_path / f"Emotion/S{at:03}/001/{name}_emotion.txt", f"   {at + 1}.0000000e+00\n")
    source, items = read(tmp_path)
    assert content(items) == {(face(label, None, 3).tobytes(), label, None): 1 for label in CK}
    assert sorted(len(names) for names in source.left_out.values()) == [14, 21]
    assert len({item.subject for item in items}) == 7


def test_kaggles_competition_is_read_once(tmp_path):
    rows = [
        (CLASSES.index(label), {"train": "Training", "test": "PublicTest"}[split], spelt(image))
        for label, split, _, image in every()
    ]
    lines = [f"{code},{usage},{pixels}" for code, usage, pixels in rows]
    put(tmp_path / "icml_face_data.csv", "\n".join(["emotion, Usage, pixels", *lines]))
    train = [f"{code},{pixels}" for code, usage, pixels in rows if usage == "Training"]
    put(tmp_path / "train.csv", "\n".join(["emotion,pixels", *train]))
    put(tmp_path / "test.csv", "\n".join(["pixels", *(pixels for *_, pixels in rows)]))
    put(tmp_path / "example_submission.csv", "emotion\n0\n0\n")
    source, items = read(tmp_path)
    assert content(items) == built()
    assert source.left_out == {
        "files of other kinds": ["example_submission.csv"],
        "files that hold the same pictures as another": ["train.csv"],
        "tables without a column of labels": ["test.csv"],
    }


def test_a_table_of_pixels_without_labels_alone_is_refused(tmp_path):
    put(tmp_path / "test.csv", f"pixels\n{spelt(face('happy', None, 0))}\n")
    assert "holds no image" in refusal(tmp_path)
