"""Parquet files of a hub: pictures as bytes, names of classes from the schema."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sources.made_sets import CLASSES, built, content, every, png, put, read, refusal

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def written(root, label, kind, names=None, name="data/{split}-00000-of-00001.parquet"):
    for split in ("train", "test"):
        rows = list(every(splits=(split,)))
        table = pa.table(
            {
                "image": pa.array(
                    [{"bytes": png(image), "path": None} for *_, image in rows], IMAGE
                ),
                "label": pa.array([label(row[0]) for row in rows], kind),
                "age": pa.array([number for _, _, number, _ in rows]),
            }
        )
        if names:
            features = {"label": {"names": names, "_type": "ClassLabel"}}
            about = json.dumps({"info": {"features": features}})
            table = table.replace_schema_metadata({"huggingface": about})
        path = root / name.format(split=split)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
    return root


def test_names_come_from_the_schema(tmp_path):
    names = list(reversed(CLASSES))
    source, items = read(written(tmp_path, names.index, pa.int64(), names))
    assert content(items) == built()
    assert source.forms == ["parquet files of a hub"]


def test_labels_may_be_text(tmp_path):
    _, items = read(written(tmp_path, str.title, pa.string()))
    assert content(items) == built()


def test_codes_without_names_need_data_labels(tmp_path):
    written(tmp_path, CLASSES.index, pa.int64())
    assert "data.labels" in refusal(tmp_path)
    _, items = read(tmp_path, {str(code): label for code, label in enumerate(CLASSES)})
    assert content(items) == built()


def test_columns_asked_for_are_kept(tmp_path):
    written(tmp_path, str, pa.string())
    _, items = read(tmp_path, groups=("age",))
    assert {item.groups["age"] for item in items} == {"0", "1"}


@pytest.mark.parametrize("data", [b"PAR1 nothing PAR1", b"", b"no parquet"])
def test_a_broken_file_is_one_line(data, tmp_path):
    put(tmp_path / "train.parquet", data)
    assert "no sound Parquet file" in refusal(tmp_path)


def test_a_file_without_pictures_says_what_it_has(tmp_path):
    pq.write_table(pa.table({"text": ["a"], "label": [1]}), tmp_path / "train.parquet")
    assert "expected a column of pictures and one of labels" in refusal(tmp_path)
