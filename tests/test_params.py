"""params.yaml is read once, typed; every fault is one line that names its key."""

import copy
import re
from pathlib import Path

import dvc.utils.serialize
import pytest
from dvc.utils.serialize import load_yaml, modify_yaml

from mien import params
from mien.errors import ParamError
from mien.params import Params

ROOT = Path(__file__).parents[1]


VALUES = load_yaml(ROOT / "params.yaml")


def changed(changes: dict[str, object]) -> dict:
    """Return the project's params with dotted keys changed; a value of `...` deletes."""
    values = copy.deepcopy(VALUES)
    for dotted, value in changes.items():
        *sections, key = dotted.split(".")
        section = values
        for name in sections:
            section = section[name]
        if value is ...:
            del section[key]
        else:
            section[key] = value
    return values


@pytest.fixture
def refused(monkeypatch):
    """Return a function that tells the line with which params with such changes are refused."""

    def line(**changes: object) -> str:
        # The file itself, which takes a tenth of a second to parse, is for other tests.
        monkeypatch.setattr(dvc.utils.serialize, "load_yaml", lambda path: changed(changes))
        with pytest.raises(ParamError) as caught:
            params.load()
        text = str(caught.value)
        assert "\n" not in text
        assert text.startswith("params.yaml: ")
        return text.removeprefix("params.yaml: ")

    return line


def test_project_params_are_valid():
    assert params.load(ROOT / "params.yaml").data.source == "data/sample"


@pytest.mark.filterwarnings("error")
def test_what_is_searched_is_told_as_it_was_read():
    searched = params.load(ROOT / "params.yaml").tune.search.model_dump(mode="json")
    width = searched["model"]["width"]
    assert (width["low"], width["high"]) == (0.5, 1.25)
    assert searched["model"]["depth"] == {"choices": [2, 1]}


def test_an_experiment_rewrites_only_what_it_sets(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes((ROOT / "params.yaml").read_bytes())
    with modify_yaml(path) as values:
        values["model"]["arch"] = "simple_cnn"
    changed = path.read_text().replace("arch: simple_cnn", "arch: compact")
    assert changed == (ROOT / "params.yaml").read_text()


def test_exponents_are_numbers(tmp_path):
    path = tmp_path / "params.yaml"
    text, count = re.subn(
        r"weight_decay: .*", "weight_decay: 1e-5", (ROOT / "params.yaml").read_text()
    )
    path.write_text(text)
    assert count == 1
    assert params.load(path).train.weight_decay == pytest.approx(0.00001)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("seed", -1, r"seed: .*greater than or equal to 0, got -1"),
        ("data.source", ..., r"data.source: Field required"),
        ("data.sha256", "abc", r"data.sha256: .*got 'abc'"),
        ("data.image_size", 8, r"data.image_size: .*16, got 8"),
        ("data.split.train", 0.9, r"data.split: fractions must sum to 1, got 1.2"),
        ("data.colour", True, r"data.colour: Extra inputs"),
        ("audit.policy.blank", "hide", r"audit.policy.blank: .*'keep' or 'drop', got 'hide'"),
        ("augment.zoom.range", [1.2, 0.8], r"augment.zoom.range: must be \[low, high\]"),
        ("augment.flip.probability", 2, r"augment.flip.probability: .*got 2"),
        ("augment.balance", "oversample", r"augment.balance: .*'none' or 'mirror'"),
        ("audit.labels.action", "drop", r"audit.labels.action: .*'none' or 'list', got 'drop'"),
        ("tune.archs", ["vgg", "vgg"], r"tune: archs must be different, got vgg twice"),
        ("model.arch", "alexnet", r"model.arch: unknown architecture 'alexnet'; one of compact"),
        ("model.attention", "all", r"model.attention: .*'cbam'.*got 'all'"),
        ("model.depth", 0, r"model.depth: .*greater than or equal to 1, got 0"),
        ("model.unfreeze", 3, r"model: unfreeze is for trained weights, got 3 with weights none"),
        ("tune.model.arch", "vgg", r"tune.model.arch: Extra inputs are not permitted"),
        ("train.learning_rate", 0, r"train.learning_rate: .*greater than 0, got 0"),
        ("train.epochs", "many", r"train.epochs: .*integer.*got 'many'"),
        ("train.folds", 1, r"train: folds must be 0 or at least 2, got 1"),
        ("train.devices", 0, r"train.devices: .*greater than or equal to 1, got 0"),
        ("train.backend", "mxnet", r"train.backend: .*'torch'.*got 'mxnet'"),
    ],
)
def test_a_fault_is_one_line_that_names_its_key(refused, key, value, message):
    assert re.match(message, refused(**{key: value}))


def test_torch_trains_on_one_device(refused):
    line = refused(**{"train.backend": "torch", "train.devices": 2})
    assert line == "train: devices must be 1 with torch, got 2; use jax or tensorflow"


def test_further_faults_are_counted(refused):
    line = refused(**{"seed": -1, "train.epochs": 0, "model.width": 0})
    assert re.match(r"seed: .*\(2 more\)$", line)


@pytest.mark.parametrize("text", ["seed: [", "", "- 1"])
def test_a_file_that_is_no_mapping_is_one_line(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ParamError) as caught:
        params.load(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(ParamError, match=r"absent\.yaml cannot be read"):
        params.load(tmp_path / "absent.yaml")


@pytest.mark.filterwarnings("error")
def test_an_empty_learning_rate_is_told_from_any_number():
    assert Params.model_validate(VALUES).train.learning_rate == params.DEFAULT_RATE
    given = Params.model_validate(changed({"train.learning_rate": 0.003}))
    assert given.train.learning_rate == 0.003


def test_a_learning_rate_that_is_missing_is_not_an_empty_one(refused):
    assert refused(**{"train.learning_rate": ...}) == "train.learning_rate: Field required"
