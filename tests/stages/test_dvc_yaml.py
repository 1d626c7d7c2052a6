"""dvc.yaml tells the truth: each stage declares the code, the params and the data it uses."""

import ast
import re
from pathlib import Path

import pytest
from dvc.utils.serialize import load_yaml
from stage_project import ROOT

from mien.models import registry
from mien.params import Params

ROOT = Path(__file__).parents[2]
STAGES = load_yaml(ROOT / "dvc.yaml")["stages"]
# What no stage declares, and what these import in turn. They shape no out: `params` reads what each
# stage declares value by value; `errors` words a user's mistakes; `project` and `entry` find
# folders, hashes and exit codes. A stage that shows itself live in MLflow hands its epochs over to
# `tracking`, which gives nothing back: a change there must not cost a training.
SHARED = {
    "src/mien/__init__.py",
    "src/mien/errors.py",
    "src/mien/params.py",
    "src/mien/project.py",
    "stages/entry.py",
}
LIVE = {"distill", "suspects", "train", "tune"}
TRAINS = LIVE | {"augment"}
# They say where figures and trials are kept, and which stages of a matrix there are.
NO_PARAMS_OF_A_STAGE = {"tensorboard", "tune.archs", "tune.storage"}


def script(stage: str) -> Path:
    return ROOT / STAGES[stage]["cmd"].split()[1]


def imported(path: Path) -> set[str]:
    """Return the modules that the file names in its imports, lazy ones included.

    With a module its packages are imported. What is imported for types alone is not.
    """
    names = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        waiting += ast.iter_child_nodes(node)
    return names | {name[:dot] for name in names for dot in range(len(name)) if name[dot] == "."}


def source_of(module: str) -> Path | None:
    """Return the file of a module of this project."""
    for folder in ("stages", "src"):
        path = ROOT / folder / module.replace(".", "/")
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file
    return None


def says_nothing(path: Path) -> bool:
    """Return whether the file is a package's that holds its docstring alone."""
    return path.name == "__init__.py" and len(ast.parse(path.read_text()).body) == 1


def code_of(stage: str) -> set[str]:
    """Return the project's files that the stage's script runs and has to declare."""
    found: set[str] = set()
    waiting = [script(stage)]
    while waiting:
        path = waiting.pop()
        name = path.relative_to(ROOT).as_posix()
        live = stage in LIVE and name.startswith("src/mien/tracking/")
        if name not in found | SHARED and not live and not says_nothing(path):
            found.add(name)
            waiting += filter(None, map(source_of, imported(path)))
    return found


def declared(stage: str) -> list[str]:
    """Return the stage's deps that are code but for its architecture, which is imported by name."""
    deps = [dep for dep in STAGES[stage]["deps"] if dep.startswith(("src/", "stages/"))]
    return [dep for dep in deps if "/architectures/" not in dep]


def known(section: str) -> bool:
    return section in Params.model_fields


# Every stage reads params.yaml through these; the params it uses are declared one by one.
SHARED = {
    "stages/entry.py",
    "src/mien/__init__.py",
    "src/mien/errors.py",
    "src/mien/params.py",
    "src/mien/project.py",
}
# The stages that run networks. The others know them by name alone, to check params.yaml.
NETWORKS = {"distill", "evaluate", "export", "suspects", "train", "tune"}
# They show their epochs in MLflow while they run.
LOGGED_LIVE = {"distill", "suspects", "train", "tune"}
# Code that `track` does not run, but logs with the champion.
LOGGED = ["src/mien/crops", "src/mien/inference"]
# They say where figures and trials are kept, and shape no out.
PLACES = {"tensorboard", "tune.storage"}
# Which of them run is told by the matrix.
MATRIX = {"tune.archs", "distill.archs"}


def code_needed(stage: str) -> set[str]:
    """Return the code that shapes the stage's outs, files without any left out."""
    code = {
        path.relative_to(ROOT).as_posix()
        for path in code_of(stage)
        if len(ast.parse(path.read_text()).body) > 1
    }
    known = set() if stage in NETWORKS else {path for path in code if "/models/" in path}
    return code - SHARED - known


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_the_code_it_runs(stage):
    missing = {path for path in code_needed(stage) if not covered(path, STAGES[stage]["deps"])}
    assert not missing


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_no_code_it_does_not_run(stage):
    declared = [dep for dep in STAGES[stage]["deps"] if dep.startswith(("src/", "stages/"))]
    # An architecture is imported by its name in params.yaml.
    named = [dep for dep in declared if "${" in dep]
    code = {path.relative_to(ROOT).as_posix() for path in code_of(stage)}
    idle = [dep for dep in declared if not any(covered(path, [dep]) for path in code)]
    assert set(idle) - set(named) == (set(LOGGED) if stage == "track" else set())


@pytest.mark.parametrize(
    ("stage", "arch"),
    [
        ("suspects", "audit.labels.arch"),
        ("train", "model.arch"),
        ("tune", "item.arch"),
        ("distill", "item.arch"),
    ],
)
def test_a_training_depends_on_its_architecture_alone(stage, arch):
    """A new architecture, or a change of another one, costs no training."""
    found = [dep for dep in STAGES[stage]["deps"] if "architectures" in dep]
    assert found == [f"src/mien/architectures/${{{arch}}}.py"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_the_params_it_reads(stage):
    read = set()
    for node in ast.walk(ast.parse(script(stage).read_text())):
        keys = []
        while isinstance(node, ast.Attribute):
            keys.insert(0, node.attr)
            node = node.value
        if isinstance(node, ast.Name) and node.id == "params" and keys[:1] and known(keys[0]):
            read.add(".".join(keys))
    declared = [*STAGES[stage].get("params", []), *PLACES, *MATRIX]
    for section in read & set(Params.model_fields) - set(declared):
        # Read as a whole: all in it counts.
        fields = getattr(Params.model_fields[section].annotation, "model_fields", None)
        if fields and not any(key.startswith(f"{section}.") for key in read):
            read = read - {section} | {f"{section}.{field}" for field in fields}
    undeclared = {
        key for key in read if not any(f"{key}.".startswith(f"{name}.") for name in declared)
    }
    # `params.data` is no read of its own where only `params.data.classes` follows it.
    undeclared = {key for key in undeclared if not any(k.startswith(f"{key}.") for k in read)}
    assert not undeclared


def test_only_evaluate_reads_the_test_split():
    readers = {
        name
        for name, stage in STAGES.items()
        if any("data/faces/test".startswith(dep) for dep in stage["deps"])
    }
    assert readers == {"evaluate"}
