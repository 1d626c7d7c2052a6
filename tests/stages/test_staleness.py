"""A change of code makes the stages stale that run it, and no training that does not."""

from collections.abc import Callable
from pathlib import Path

import pytest
from dvc.repo import Repo
from dvc.utils.serialize import dump_yaml, load_yaml

# The project trains simple_cnn, and tunes and distills two_conv.
TRAINING = {"suspects", "train", "tune@two_conv", "distill@two_conv"}


@pytest.fixture
def stale(project, monkeypatch) -> Callable[[], set[str]]:
    """Return a function that asks DVC which stages their own deps have made stale."""
    monkeypatch.chdir(project)

    def ask() -> set[str]:
        with Repo() as repo:
            told = repo.status()
        # `track` runs every time.
        return {name for name, why in told.items() if why != ["always changed"]}

    return ask


# A file under src/mien, a place in it and what comes there instead, and what that makes stale.
CHANGES = {
    "a constant of the recipe": (
        ("training/recipe.py", "MUON_FACTOR = 5", "MUON_FACTOR = 6"),
        TRAINING,
    ),
    "a colour of a model's chart": (
        ("evaluation/model_charts.py", 'cmap="Blues"', 'cmap="Greens"'),
        {"evaluate"},
    ),
    "the greys of all sheets": (
        ("figures.py", 'cmap="gray"', 'cmap="bone"'),
        {"prepare", "augment", "evaluate"},
    ),
    "an architecture that no model has": (
        ("architectures/resnet.py", "dropout: float = 0.2", "dropout: float = 0.3"),
        set(),
    ),
    "the architecture of train": (
        ("architectures/simple_cnn.py", "def build(", "# A new line.\ndef build("),
        {"train"},
    ),
    "the architecture that is tuned and distilled": (
        ("architectures/two_conv.py", "def build(", "# A new line.\ndef build("),
        {"tune@two_conv", "distill@two_conv"},
    ),
    "what MLflow is told": (
        ("tracking/runs.py", "import", "# A new line.\nimport"),
        {"track"},
    ),
    "a word of an error": (
        ("params.py", "cannot be read", "is not readable"),
        set(),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_makes_stale_what_runs_it(project, stale, name):
    (file, old, new), expected = CHANGES[name]
    path = project / "src/mien" / file
    text = path.read_text()
    assert old in text
    try:
        path.write_text(text.replace(old, new, 1))
        assert stale() == expected
    finally:
        path.write_text(text)
    assert stale() == set()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"arch": "resnet"}, {"train"}),
        ({"arch": "resnet", "attention": "cbam"}, {"train", "distill@two_conv"}),
        ({"weights": "faces"}, {"train", "distill@two_conv"}),
        ({"width": 2.0}, {"train"}),
    ],
)
def test_another_network_of_train_leaves_the_studies_alone(project, stale, changes, expected):
    path = project / "params.yaml"
    text = path.read_text()
    try:
        values = load_yaml(path)
        values["model"] |= changes
        dump_yaml(path, values)
        # A student, which follows `train` in any case, takes some options of `model`.
        assert stale() == expected
    finally:
        path.write_text(text)


def test_a_new_architecture_makes_nothing_stale(project, stale):
    folder = project / "src/mien/architectures"
    new = Path(folder, "tiny.py")
    try:
        new.write_text((folder / "two_conv.py").read_text())
        assert stale() == set()
    finally:
        new.unlink()
