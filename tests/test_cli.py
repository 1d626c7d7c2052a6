"""The command `mien` lists architectures, starts workers and answers mistakes in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.utils.serialize import dump_yaml, load_yaml

from mien import cli, models
from mien.models import registry

ROOT = Path(__file__).parents[1]


def test_models_lists_figures_and_the_source(capsys):
    cli.main(["models", "mini_xception", "compact"])
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "parameters", "multiply-adds", "source"]
    # Arriaga et al. give 58,423 parameters for the seven classes of FER2013.
    assert first.split()[:2] == ["mini_xception", "58,423"]
    assert first.endswith("Arriaga et al. 2017, arXiv:1710.07557")
    parameters, multiply_adds = registry.measured_costs()["compact"]
    assert second.split()[:4] == ["compact", f"{parameters:,}", f"{multiply_adds / 1e6:.1f}", "M"]


def test_models_without_names_lists_all_and_imports_no_keras():
    code = "import sys; from mien import cli; cli.main(['models']); print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    _, *listed, keras = done.stdout.splitlines()
    assert [line.split()[0] for line in listed] == registry.names()
    assert all(registry.source(line.split()[0]) in line for line in listed)
    assert keras == "False"


def test_a_net_that_the_table_of_costs_lacks_is_built_to_be_measured(capsys, monkeypatch):
    built = []
    monkeypatch.setattr(registry, "measured_costs", lambda: {"vgg": (1, 1)})
    monkeypatch.setattr(models, "use_backend", lambda name: None)
    monkeypatch.setattr(models, "build", lambda spec: built.append(spec))
    monkeypatch.setattr(models, "cost", lambda net: (1_234_567, 8_940_000))
    cli.main(["models", "vgg", "two_conv"])
    assert capsys.readouterr().out.splitlines()[2].split()[:3] == ["two_conv", "1,234,567", "8.9"]
    (spec,) = built
    assert (spec["arch"], len(spec["classes"]), spec["image_size"]) == ("two_conv", 7, 48)


def test_an_unknown_name_is_one_line_with_the_known_ones():
    with pytest.raises(SystemExit) as caught:
        cli.main(["models", "vgg9"])
    line = str(caught.value)
    assert line.startswith("mien: unknown architecture 'vgg9'")
    assert ", ".join(registry.names()) in line


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
    with pytest.raises(SystemExit, match=r"mien: vgg is not among tune.archs: two_conv"):
        cli.main(["tune-worker", "vgg"])
    Path("data/training").rmdir()
    with pytest.raises(SystemExit, match=r"mien: data/training is missing; run .* `dvc pull`"):
        cli.main(["tune-worker", "two_conv"])
    shared(storage=None)
    with pytest.raises(SystemExit, match=r"mien: tune.storage is empty; a worker joins"):
        cli.main(["tune-worker", "two_conv"])


@pytest.mark.parametrize(
    ("arguments", "package"),
    [
        (["models"], "Keras"),
        (["tune-worker", "compact"], "Optuna"),
        (["report"], "DVC"),
        (["doctor"], "DVC"),
        (["experiments"], "DVC"),
    ],
)
def test_a_missing_package_is_one_line_with_the_remedy(shared, monkeypatch, arguments, package):
    monkeypatch.setattr(registry, "measured_costs", dict)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    remedy = r"run `pip install '\.\[pipeline[a-z,]*\]'` in the project's checkout$"
    with pytest.raises(SystemExit, match=rf"^mien: {package} is not installed; {remedy}"):
        cli.main(arguments)
