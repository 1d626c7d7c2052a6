"""params.yaml with every key wrong in every way: one line that names the key and keeps secrets."""

import copy
import json
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

# Through JSON into plain dicts, which are copied faster than those that keep comments.
VALUES = json.loads(json.dumps(load_yaml(Path(__file__).parents[2] / "params.yaml")))
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


def keys(values: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path and the value of every key, sections included."""
    for key, value in values.items():
        yield (*above, key), value
        if isinstance(value, dict):
            yield from keys(value, (*above, key))


def wrong(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    """Yield each mistake about a key: where it is made, what is told of it, and the value.

    A value of `...` leaves the key out.
    """
    for kind, other in WRONG[type(value)].items():
        yield path, kind, other
    # Those of tune.search are free.
    if path[:2] != ("tune", "search") or len(path) == 3:
        yield path, "is missing", ...
    if isinstance(value, dict):
        yield (*path, "no_such_key"), "another key", 1


@pytest.mark.parametrize(
    ("path", "value"), [pytest.param(*each, id=".".join(each[0])) for each in keys(VALUES)]
)
def test_a_wrong_value_is_one_line_that_names_its_key(monkeypatch, path, value):
    for place, kind, other in wrong(path, value):
        values = copy.deepcopy(VALUES)
        section = values
        for key in place[:-1]:
            section = section[key]
        section[place[-1]] = other
        if other is ...:
            del section[place[-1]]
        # The file itself, which takes a tenth of a second to parse, is for the tests below.
        monkeypatch.setattr(dvc.utils.serialize, "load_yaml", lambda path, values=values: values)
        with pytest.raises(ParamError) as caught:
            pytest.fail(f"{kind} was read: {params.load()}")
        line = is_one_line(caught.value)
        assert line.startswith("params.yaml: "), kind
        # The name of the key itself, or of the section with the words that name the key.
        assert place[-1] in line, kind
        assert all(name in line for name in place[:-2]), kind


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
    "brackets without end": b"[" * 1000,
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
    "200,000 letters": b"seed: " + b"x" * 200_000,
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
