"""params.yaml with every key wrong in every way: one line that names the key and keeps secrets."""

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dvc.utils.serialize
import pytest
from conftest import is_one_line
from dvc.utils.serialize import load_yaml

from mien import params
from mien.errors import ParamError

pytestmark = pytest.mark.usefixtures("walled")

VALUES = load_yaml(Path(__file__).parents[2] / "params.yaml")
# What a value of each kind can never be.
WRONG: dict[type, dict[str, Any]] = {
    bool: {"a text": "perhaps", "a number": 7, "nothing": None, "a list": [True]},
    int: {"a text": "many", "a list": [1], "yes": True, "not a number": math.nan},
    float: {"a text": "much", "a list": [0.1], "yes": True, "infinite": -math.inf},
    str: {"a number": 5, "a list": ["x"], "yes": True, "a mapping": {"a": 1}},
    list: {"a text": "x", "a mapping": {"a": 1}, "a number": 3, "a list of lists": [[1], [2]]},
    dict: {"a text": "x", "a list": ["x"], "nothing": None, "a number": 1},
    # Empty stands for text or a number.
    type(None): {"a list": [[1]], "a mapping": {"a": 1}},
}
# Values of any of the searched params; a number among them is no mistake.
OPEN = ("choices", "low", "high")


def keys(values: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path and the value of every key, sections included."""
    for key, value in values.items():
        yield (*above, key), value
        if isinstance(value, dict):
            yield from keys(value, (*above, key))


def rows() -> Iterator[Any]:
    """Yield every key but those that are free, with each wrong value, and without any."""
    for path, value in keys(VALUES):
        name = ".".join(path)
        for kind, wrong in WRONG[type(value)].items():
            yield pytest.param(path, wrong, id=f"{name} is {kind}")
        if path[:2] != ("tune", "search") or len(path) == 3:
            yield pytest.param(path, ..., id=f"{name} is missing")
        if isinstance(value, dict):
            yield pytest.param((*path, "no_such_key"), 1, id=f"{name} has another key")


ROWS = list(rows())


@pytest.mark.parametrize(("path", "value"), ROWS)
def test_a_wrong_value_is_one_line_that_names_its_key(monkeypatch, path, value):
    values = copy.deepcopy(VALUES)
    section = values
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    if value is ...:
        del section[path[-1]]
    # The file itself, which takes a tenth of a second to parse, is for the tests below.
    monkeypatch.setattr(dvc.utils.serialize, "load_yaml", lambda path: values)
    with pytest.raises(ParamError) as caught:
        params.load()
    line = is_one_line(caught.value)
    assert line.startswith("params.yaml: ")
    # The name of the key itself, or of the section with the words that name the key.
    assert path[-1] in line
    assert all(name in line for name in path[:-2])


TEXT = (Path(__file__).parents[2] / "params.yaml").read_text()
FILES = {
    "a command in a tag": b"seed: !!python/object/apply:os.system ['touch ../escaped']",
    "a class in a tag": b"seed: !!python/name:os.system",
    "an object in a tag": b"seed: !!python/object/new:pathlib.Path [x]",
    "nothing": b"",
    "no UTF-8": b"seed: \xff\xfe\x00",
    "zeros": bytes(1000),
    "a control character": TEXT.replace("seed: 17", "seed: \x1b[31m").encode(),
    "a key twice": TEXT.encode() + b"seed: 18\n",
    "two documents": TEXT.encode() + b"---\nseed: 1\n",
    "brackets without end": b"[" * 5000,
    "an anchor that is not there": b"seed: *nowhere",
    "an anchor in itself": b"&a [*a]",
    "a tab as indent": TEXT.replace("  source:", "\tsource:").encode(),
    "a list": b"- seed: 17",
    "a word": b"seed",
    "a number of 30,000 bits": b"seed: 0x" + b"f" * 7500,
    "a number of 5,000 digits": b"seed: " + b"9" * 5000,
    "a date": b"seed: 2026-11-20",
    "bytes": b"seed: !!binary aGVsbG8=",
    "a key that is a list": b"? [a, b]\n: 1",
    "a name with a line break": b'"see\\nd": 1',
    "a name of 100,000 letters": b"s" * 100_000 + b": 1",
    "a million letters": b"seed: " + b"x" * 1_000_000,
}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_one_line(walled, name):
    Path("params.yaml").write_bytes(FILES[name])
    with pytest.raises(ParamError) as caught:
        params.load()
    assert is_one_line(caught.value).startswith("params.yaml")
    assert sorted(path.name for path in walled.iterdir()) == ["params.yaml"]


def test_references_that_unfold_to_gigabytes_are_not_unfolded():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for row in range(1, 12):
        lines.append(f"a{row}: &a{row} [{', '.join([f'*a{row - 1}'] * 10)}]")
    Path("params.yaml").write_text("\n".join([*lines, "seed: *a11"]))
    with pytest.raises(ParamError) as caught:
        params.load()
    is_one_line(caught.value)


SECRET = "s3cr:t/w@rd"
URLS = {
    "another database": f"mysql://me:{SECRET}@db/mien",
    "a word before": f"see postgresql://me:{SECRET}@db/mien",
    "a password in the query": "redis://db/mien?password=s3cr:t/w@rd",
    "a long one": f"mysql://{'m' * 90}:{SECRET}@db/mien",
    "a list of them": [f"postgresql://me:{SECRET}@db/mien"],
    "a mapping": {"url": f"postgresql://me:{SECRET}@db/mien"},
}


@pytest.mark.parametrize("key", ["storage", "storag"])
@pytest.mark.parametrize("name", URLS)
def test_a_refused_database_is_named_without_its_password(monkeypatch, name, key):
    values = copy.deepcopy(VALUES)
    values["tune"][key] = URLS[name]
    monkeypatch.setattr(dvc.utils.serialize, "load_yaml", lambda path: values)
    with pytest.raises(ParamError) as caught:
        params.load()
    line = is_one_line(caught.value)
    assert f"tune.{key}" in line
    assert not any(part in line for part in ("s3cr", "w@rd"))
