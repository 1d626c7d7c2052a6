"""Videos: a frame at each step, faces followed from one to the next."""

import cv2
import numpy as np
import pytest
from drawn_photos import detected, model

from mien.inference import video
from mien.inference.classify import Classifier
from mien.inference.reader import Reader


def bright(image):
    """Stand in for a detector: each white square is a face."""
    light = (image[..., 0] > 128).astype(np.uint8)
    count, _, boxes, _ = cv2.connectedComponentsWithStats(light)
    found = [tuple(int(side) for side in box[:4]) for box in boxes[1:count] if box[4] > 100]
    return [detected(box) for box in sorted(found)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """3 s at 10 frames a second: one square wanders, another is there from 1 s until 2 s."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (320, 240))
    for number in range(30):
        frame = np.zeros((240, 320, 3), np.uint8)
        frame[40:120, 160 + 2 * number : 240 + 2 * number] = 255
        if 10 <= number < 20:
            frame[120:200, 10:90] = 255
        writer.write(frame)
    writer.release()
    return path


def test_a_frame_is_read_at_each_step(clip):
    times = [time for time, _ in video.frames(str(clip), 0.5)]
    assert times == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5], abs=0.002)
    assert video.count(clip, 0.5) == len(times)
    assert len(list(video.frames(str(clip), 0.001))) == 30


def test_faces_keep_their_number_and_newcomers_get_the_next(clip):
    reader = Reader(Classifier(model(), "tiny"), bright)
    readings = list(video.read(reader, clip, 0.5))
    assert [list(reading.tracks) for reading in readings] == [[1], [1], [2, 1], [2, 1], [1], [1]]
    assert [reading.time for reading in readings][:2] == [0, 0.5]
    assert all(reading.path == clip and reading.error is None for reading in readings)
    # Each frame is kept for who wants to draw on it.
    first, third = readings[0].load(), readings[2].load()
    assert first[160, 50].max() < 50 < 200 < third[160, 50].min()


@pytest.mark.parametrize("data", [b"", b"no video", b"\0\0\0\x20ftypisom" + bytes(200)])
def test_what_is_no_video_is_one_error(tmp_path, capfd, data):
    path = tmp_path / "clip.mp4"
    path.write_bytes(data)
    reader = Reader(Classifier(model(), "tiny"), bright)
    (reading,) = video.read(reader, path, 0.5)
    assert reading.error == "no video that can be decoded; convert it to MP4 (H.264)"
    assert video.count(path, 0.5) == 1
    assert capfd.readouterr().err == ""


def test_crossing_faces_go_to_those_they_share_most_with():
    tracks = video.Tracks()
    assert tracks.follow([(0, 0, 100, 100), (60, 0, 100, 100)]) == [1, 2]
    assert tracks.follow([(50, 0, 100, 100), (10, 0, 100, 100)]) == [2, 1]


def test_of_two_faces_where_one_was_the_nearer_keeps_the_number():
    tracks = video.Tracks()
    assert tracks.follow([(0, 0, 100, 100)]) == [1]
    assert tracks.follow([(20, 0, 100, 100), (5, 0, 100, 100)]) == [2, 1]


def test_a_face_that_is_missing_too_long_comes_back_as_another():
    tracks = video.Tracks()
    box = (10, 10, 50, 50)
    assert tracks.follow([box]) == [1]
    for _ in range(video.MISSED):
        assert tracks.follow([]) == []
    assert tracks.follow([box]) == [1]
    for _ in range(video.MISSED + 1):
        tracks.follow([])
    assert tracks.follow([box]) == [2]


def test_a_face_that_jumps_is_another():
    tracks = video.Tracks()
    assert tracks.follow([(0, 0, 50, 50)]) == [1]
    assert tracks.follow([(40, 0, 50, 50)]) == [2]
