"""Where a picture lies says its class and its split."""

from pathlib import PurePosixPath

import pytest

from mien.errors import SourceError
from mien.sources import layout


@pytest.mark.parametrize(
    ("path", "label", "split"),
    [
        ("train/happy/1.jpg", "happy", "train"),
        ("happy/train/1.jpg", "happy", "train"),
        ("happy/1.jpg", "happy", None),
        ("faces/of/people/happy/1.jpg", "happy", None),
        ("Facial_emotion_images/train/happy/1.jpg", "happy", "train"),
        ("test_images/train/happy/1.jpg", "happy", "train"),
        ("my test set/happy/1.jpg", "happy", None),
        ("test/train/happy/1.jpg", "happy", "train"),
        ("train/faces/happy/1.jpg", "happy", "train"),
        ("Training/Happiness/1.jpg", "happy", "train"),
        ("VALID/SURPRISED/1.jpg", "surprise", "validation"),
        ("val/Anger/1.jpg", "angry", "validation"),
        ("dev/fearful/1.jpg", "fear", "validation"),
        ("validation/afraid/1.jpg", "fear", "validation"),
        ("testing/disgusted/1.jpg", "disgust", "test"),
        ("Test/sadness/1.jpg", "sad", "test"),
        ("PublicTest/Contempt/1.jpg", "contempt", "publictest"),
        ("PrivateTest/Bored/1.jpg", "bored", "privatetest"),
    ],
)
def test_place_reads_class_and_split_from_the_folders(path, label, split):
    folders = PurePosixPath(path).parts[:-1]
    assert layout.place(folders, path) == (label, split)


@pytest.mark.parametrize("folders", [(), ("train",), ("Validation", "test")])
def test_a_picture_without_a_class_folder_is_refused(folders):
    with pytest.raises(SourceError, match=r"'x/1.jpg' has no class: expected a folder named"):
        layout.place(folders, "x/1.jpg")


@pytest.mark.parametrize(
    ("path", "folders"),
    [
        ("train.zip", ("train",)),
        ("more/Test.tar.gz", ("more", "Test")),
        ("happy.zip", ()),
        ("train/faces.zip", ("train",)),
    ],
)
def test_a_name_of_an_archive_counts_only_as_a_split(path, folders):
    assert layout.around(PurePosixPath(path)) == folders
