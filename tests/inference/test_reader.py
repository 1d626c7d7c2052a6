"""The reader: photos in, faces with their expressions out."""

import cv2
import numpy as np
import pytest
from conftest import CLASSES, drawn_images
from drawn_photos import SIZE, detected, model, photo, write

from mien.crops.detection import YuNet
from mien.inference.classify import BATCH, Classifier
from mien.inference.reader import Reader


@pytest.fixture(scope="module")
def net():
    return Classifier(model(), "tiny")


def colour(image: np.ndarray) -> np.ndarray:
    return cv2.merge([image] * 3)


def test_a_whole_photo_is_one_face(net):
    image = drawn_images(4, size=96)[0][3]
    (face,) = Reader(net).read(colour(image))
    assert (face.box, face.emotion) == ((0, 0, 96, 96), CLASSES[3])
    assert face.confidence == max(face.probabilities.values()) > 0.9
    assert tuple(face.probabilities) == CLASSES
    assert sum(face.probabilities.values()) == pytest.approx(1)
    means = image.reshape(SIZE, 2, SIZE, 2).mean((1, 3))
    assert np.abs(face.crop - means).max() <= 0.5


def test_every_face_that_is_found_is_read_in_its_box(net):
    faces = Reader(net, YuNet()).read(photo(400, 640, (40, 30, 160, 0), (330, 120, 240, 0)))
    assert [face.crop.shape for face in faces] == [(SIZE, SIZE)] * 2
    assert faces[0].box[0] + faces[0].box[2] < 330 < faces[1].box[0] + faces[1].box[2] // 2
    alone = net(np.stack([face.crop for face in faces]))
    for face, row in zip(faces, alone, strict=True):
        assert list(face.probabilities.values()) == pytest.approx(row.tolist())


def test_a_photo_without_faces_gives_none(net):
    assert Reader(net, lambda photo: []).read(photo(100, 100)) == []


def test_below_the_confidence_asked_for_the_answer_is_unsure(net):
    images, _ = drawn_images(4)
    plain = np.full((SIZE, SIZE), 90, np.uint8)
    reader = Reader(net, abstain=0.5)
    assert reader.read(colour(images[1]))[0].emotion == CLASSES[1]
    (face,) = reader.read(colour(plain))
    assert face.emotion == "unsure"
    assert face.confidence == pytest.approx(0.25, abs=0.05)
    assert Reader(net).read(colour(plain))[0].emotion in CLASSES


@pytest.fixture
def crops(tmp_path):
    """More crops than fit in a batch, one of them broken."""
    images, codes = drawn_images(BATCH + 9)
    paths = [write(tmp_path / f"{row:03}.png", image) for row, image in enumerate(images)]
    paths[5].write_bytes(b"<html>")
    return paths, codes


@pytest.mark.parametrize("detector", [None, lambda photo: [detected((5, 5, 37, 37))]])
def test_files_come_back_in_order_and_a_broken_one_keeps_its_place(net, crops, detector):
    paths, codes = crops
    readings = list(Reader(net, detector).read_files(paths))
    assert [reading.path for reading in readings] == paths
    broken = readings.pop(5)
    assert not broken.faces
    assert broken.error.startswith("no image; expected JPEG")
    assert all(reading.error is None for reading in readings)
    answers = [reading.faces[0].emotion for reading in readings]
    assert answers == [CLASSES[code] for code in np.delete(codes, 5)]
    assert np.array_equal(cv2.imread(str(paths[0])), readings[0].load())


def test_with_a_detector_no_photo_is_read_before_it_is_asked_for(net, crops):
    seen = []

    def detector(image):
        seen.append(image)
        return []

    readings = Reader(net, detector).read_files(crops[0])
    next(readings)
    assert len(seen) == 1
