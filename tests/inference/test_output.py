"""What was read is written as JSON, CSV, parquet and a table."""

import io
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mien.errors import MienError
from mien.inference import output
from mien.inference.reader import Face, Reading

CLASSES = ("happy", "sad")
CROP = np.zeros((48, 48), np.uint8)


def face(x: int, happy: float, emotion: str = "") -> Face:
    shares = {"happy": happy, "sad": 1 - happy}
    answer = emotion or max(shares, key=shares.__getitem__)
    return Face((x, 2, 30, 40), answer, max(shares.values()), shares, CROP)


def reading(name: str, *faces: Face, **more) -> Reading:
    return Reading(Path(name), faces, lambda: CROP, **more)


RECORDS = [
    output.record(one)
    for one in (
        reading("a.jpg", face(1, 0.75), face(50, 0.4)),
        reading("empty, too.jpg"),
        reading("broken.jpg", error="damaged"),
    )
]
FRAMES = [output.record(reading("c.mp4", face(9, 0.6, "unsure"), time=0.5, tracks=[3]))]


def test_a_photo_is_an_object_of_its_faces():
    assert json.loads(output.rendered(RECORDS, CLASSES, "json")) == [
        {
            "image": "a.jpg",
            "faces": [
                {
                    "face": 1,
                    "box": [1, 2, 30, 40],
                    "emotion": "happy",
                    "confidence": 0.75,
                    "probabilities": {"happy": 0.75, "sad": 0.25},
                },
                {
                    "face": 2,
                    "box": [50, 2, 30, 40],
                    "emotion": "sad",
                    "confidence": 0.6,
                    "probabilities": {"happy": 0.4, "sad": 0.6},
                },
            ],
        },
        {"image": "empty, too.jpg", "faces": []},
        {"image": "broken.jpg", "faces": [], "error": "damaged"},
    ]
    assert json.loads(output.rendered([], CLASSES, "json")) == []


def test_a_frame_also_has_its_time_and_tracks():
    (frame,) = json.loads(output.rendered(FRAMES, CLASSES, "json"))
    assert (frame["time"], frame["faces"][0]["track"]) == (0.5, 3)
    assert frame["faces"][0]["emotion"] == "unsure"


def test_a_csv_has_a_row_for_each_face_and_each_broken_file():
    assert output.rendered(RECORDS, CLASSES, "csv").decode().splitlines() == [
        "image,face,x,y,w,h,emotion,confidence,happy,sad,error",
        "a.jpg,1,1,2,30,40,happy,0.75,0.75,0.25,",
        "a.jpg,2,50,2,30,40,sad,0.6,0.4,0.6,",
        "broken.jpg,,,,,,,,,,damaged",
    ]


def test_with_a_video_the_rows_have_time_and_track():
    assert output.rendered([*RECORDS[:1], *FRAMES], CLASSES, "csv").decode().splitlines() == [
        "image,time,face,track,x,y,w,h,emotion,confidence,happy,sad,error",
        "a.jpg,,1,,1,2,30,40,happy,0.75,0.75,0.25,",
        "a.jpg,,2,,50,2,30,40,sad,0.6,0.4,0.6,",
        "c.mp4,0.5,1,3,9,2,30,40,unsure,0.6,0.6,0.4,",
    ]


def test_parquet_holds_the_same_with_types_even_without_faces():
    table = pd.read_parquet(io.BytesIO(output.rendered(RECORDS, CLASSES, "parquet")))
    assert table["x"].tolist()[:2] == [1, 50]
    assert table.loc[2, "error"] == "damaged"
    empty = pd.read_parquet(io.BytesIO(output.rendered([], CLASSES, "parquet")))
    assert empty.dtypes.astype(str).to_dict() == table.dtypes.astype(str).to_dict()


def test_the_table_is_aligned_and_leaves_out_what_nobody_has():
    head, *rows = output.rendered(RECORDS, CLASSES, "table").decode().splitlines()
    shown = "image face x y w h emotion confidence others"
    assert head.split() == shown.split()
    # Named as in the CSV, but for the last.
    columns = output.as_frame(RECORDS, CLASSES).columns
    assert [name for name in columns if name in shown.split()] == shown.split()[:-1]
    assert rows[0].split() == ["a.jpg", "1", "1", "2", "30", "40", "happy", "75%", "sad", "25%"]
    assert "no face" in rows[2]
    assert rows[3].split() == ["broken.jpg", "unreadable", "damaged"]
    words = zip(rows, ("happy", "sad", "no face", "unreadable"), strict=True)
    assert len({line.index(word) for line, word in words}) == 1


def test_the_table_shows_what_an_unsure_answer_wavers_between():
    _, row = output.rendered(FRAMES, CLASSES, "table").decode().splitlines()
    assert row.split()[:3] == ["c.mp4", "0.50", "s"]
    assert row.endswith("unsure          60%  happy 60%, sad 40%")


def test_a_name_that_is_no_text_is_shown_with_question_marks():
    odd = reading(os.fsdecode(b"caf\xe9.jpg"))
    assert output.record(odd)["image"] == "caf?.jpg"


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    path = tmp_path / "file/out.csv"
    with pytest.raises(MienError, match=r"out\.csv cannot be written: "), output.writing(path):
        pass


def test_copies_lie_as_their_files_do_and_never_outside_the_folder():
    given = [Path("set/a/1.png"), Path("set/a/../b/1.png"), Path("set/a/deep/2.png").absolute()]
    placed = output.placed(given, Path("out"))
    assert list(placed.values()) == [
        Path("out/a/1.png"),
        Path("out/b/1.png"),
        Path("out/a/deep/2.png"),
    ]
    assert output.placed(given[1:2], Path("out")) == {given[1]: Path("out/1.png")}
    nested = output.placed([Path("a/1.png"), Path("a/../b/2.png")], Path("out"))
    assert list(nested.values()) == [Path("out/a/1.png"), Path("out/b/2.png")]
