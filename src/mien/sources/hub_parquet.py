"""Parquet files of Hugging Face's hub: pictures as bytes, names of the classes in the schema.

`data/train-00000-of-00001.parquet` has a column of pictures, {bytes, path}, and one of labels; the
schema's metadata `huggingface` holds the features, of which ClassLabel has the names.
"""

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mien.errors import SourceError
from mien.sources.file_list import plain
from mien.sources.files import Files, SourceFile, checked_label, innermost_split, unknown_codes
from mien.sources.items import Entry, Reading
from mien.sources.spool import Block, Spool, together
from mien.sources.tables import LABELS

NAME = "parquet files of a hub"
ROWS = 256


def recognises(files: Files) -> bool:
    """Tell whether there is a Parquet file."""
    return bool(files.named(".parquet"))


def read(files: Files) -> Reading:
    """Return a picture for each row.

    Raises:
        SourceError: a file is damaged, has no column of pictures or of labels, or its labels are
            codes whose meaning is not known.
    """
    return together([_block(file, files) for file in files.named(".parquet")])


def _block(file: SourceFile, files: Files) -> Block:
    block, spool = Block([file.path]), Spool()
    split = innermost_split((*file.folders, file.stem.split("-")[0]))
    with file.open() as stream:
        try:
            table = pq.ParquetFile(stream)
            pictures, label = _columns(file, table.schema_arrow)
            names = _names(table.schema_arrow, label)
            asked = [name for name in files.groups if name in table.schema_arrow.names]
            number = 0
            for batch in table.iter_batches(ROWS, columns=[pictures, label, *asked]):
                for row in batch.to_pylist():
                    number += 1
                    _add(block, spool, file, number, row, (pictures, label), names, split, files)
        except pa.ArrowException as error:
            reason = " ".join(str(error).split())[:200]
            raise SourceError(f"{file.path} is no sound Parquet file: {reason}") from error
    return block


def _add(
    block: Block,
    spool: Spool,
    file: SourceFile,
    number: int,
    row: Mapping[str, Any],
    columns: tuple[str, str],
    names: list[str] | None,
    split: str | None,
    files: Files,
) -> None:
    picture, value = row[columns[0]], row[columns[1]]
    data = picture["bytes"] if isinstance(picture, dict) else picture
    if data is None or value is None:
        raise SourceError(f"{file.path}: row {number}: no picture or no label; mend or remove it")
    text = names[value] if names and isinstance(value, int) else plain(str(value))
    own = str(value) if files.labels.means(str(value)) else text
    if not files.labels.means(own):
        raise unknown_codes(file.path, [own])
    label = files.labels.of(own)
    if label is None:
        return
    label = checked_label(label, file.path)
    groups = {name: str(row[name]) for name in files.groups if name in row}
    part = "/".join(file.folders)
    entry = Entry(f"{file.path}:{number}", label, split, spool.add(data), part, None, groups)
    block.add(entry, data)


def _columns(file: SourceFile, schema: pa.Schema) -> tuple[str, str]:
    """Return the names of the columns of pictures and of labels."""
    pictures = [
        field.name
        for field in schema
        if pa.types.is_binary(field.type)
        or (pa.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0)
    ]
    labels = [name for name in schema.names if name.lower() in LABELS]
    if len(pictures) != 1 or not labels:
        raise SourceError(
            f"{file.path}: expected a column of pictures and one of labels ({', '.join(LABELS)}), "
            f"got {', '.join(schema.names)}"
        )
    return pictures[0], min(labels, key=lambda name: LABELS.index(name.lower()))


def _names(schema: pa.Schema, label: str) -> list[str] | None:
    """Return the names of the classes that the schema holds, if any."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        names = features[label]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return list(names) if isinstance(names, list) else None
