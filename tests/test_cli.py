"""The command `mien` measures what it lists and answers mistakes in one line."""

import pytest

from mien import cli, models


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
    with pytest.raises(SystemExit, match=r"mien: Keras is not installed; run `pip install 'mien\["):
        cli.main(["models"])
