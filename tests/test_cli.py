"""The command `mien` measures what it lists and answers mistakes in one line."""

import os
import sys
from pathlib import Path

import pytest
from dvc.utils.serialize import dump_yaml, load_yaml

from mien import cli, models

ROOT = Path(__file__).parents[1]


def test_models_lists_measured_figures_and_the_source(capsys):
    cli.main(["models", "mini_xception", "compact"])
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "parameters", "multiply-adds", "source"]
    assert first.split()[:2] == ["mini_xception", "58,423"]
    assert first.endswith("Arriaga et al. 2017, arXiv:1710.07557")
    spec = {"arch": "compact", "classes": list("abcdefg"), "image_size": 48}
    parameters, multiply_adds = models.cost(models.build(spec))
    assert second.split()[:4] == ["compact", f"{parameters:,}", f"{multiply_adds / 1e6:.1f}", "M"]


def test_models_without_names_lists_all(capsys, monkeypatch):
    monkeypatch.setattr(models, "build", lambda spec: spec)
    monkeypatch.setattr(models, "cost", lambda model: (0, 0))
    cli.main(["models"])
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert listed == list(models.ARCHITECTURES)


def test_an_unknown_name_is_one_line_with_the_known_ones():
    with pytest.raises(SystemExit) as caught:
        cli.main(["models", "vgg9"])
    assert str(caught.value).startswith("mien: unknown architecture 'vgg9'; one of compact, seed")


def test_a_missing_keras_is_one_line_with_the_remedy(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"mien: Keras is not installed; run `pip install '\.\["):
        cli.main(["models"])


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """Enter a project with data and a study in a database; return what changes its params."""
    monkeypatch.chdir(tmp_path)
    for folder in ("stages", "data/training", "data/faces/validation"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "stages/tune.py").touch()

    def change(**tune):
        values = load_yaml(ROOT / "params.yaml")
        values["tune"] |= {"storage": "postgresql://host/study"} | tune
        dump_yaml("params.yaml", values)

    change()
    return change


def test_a_tune_worker_becomes_the_stage_of_its_architecture(shared, monkeypatch):
    became = []
    monkeypatch.setattr(os, "execve", lambda *given: became.append(given))
    cli.main(["tune-worker", "two_conv"])
    ((program, arguments, environment),) = became
    assert program == sys.executable
    assert arguments == [sys.executable, "stages/tune.py", "two_conv", "--worker"]
    assert environment["DVC_STAGE"] == "tune@two_conv"
    assert environment["PATH"] == os.environ["PATH"]


def test_a_tune_worker_that_has_nothing_to_join_says_so_in_one_line(shared):
    with pytest.raises(SystemExit, match=r"mien: vgg is not among tune.archs: compact, two_conv"):
        cli.main(["tune-worker", "vgg"])
    Path("data/training").rmdir()
    with pytest.raises(SystemExit, match=r"mien: data/training is missing; run .* `dvc pull`"):
        cli.main(["tune-worker", "compact"])
    shared(storage=None)
    with pytest.raises(SystemExit, match=r"mien: tune.storage is empty; a worker joins"):
        cli.main(["tune-worker", "compact"])


def test_a_tune_worker_without_optuna_is_one_line(shared, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"Optuna is not installed; run `pip install '\.\[pipel"):
        cli.main(["tune-worker", "compact"])
