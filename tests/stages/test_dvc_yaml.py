"""dvc.yaml tells the truth: each stage declares the code, the params and the data it uses."""

import ast
from pathlib import Path

import pytest
from dvc.utils.serialize import load_yaml

from mien.params import Params

ROOT = Path(__file__).parents[2]
STAGES = load_yaml(ROOT / "dvc.yaml")["stages"]


def script(stage: str) -> Path:
    return ROOT / STAGES[stage]["cmd"].split()[1]


def imported(path: Path) -> set[str]:
    """Return the modules of the project that the file names in its imports, lazy ones included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] == "mien" or source_of(name)}


def source_of(module: str) -> Path | None:
    if (ROOT / "stages" / f"{module}.py").is_file():
        return ROOT / "stages" / f"{module}.py"
    path = ROOT / "src" / module.replace(".", "/")
    if (path / "__init__.py").is_file():
        return path / "__init__.py"
    return path.with_suffix(".py") if path.with_suffix(".py").is_file() else None


def code_of(stage: str) -> set[Path]:
    """Return the project's files that the stage's script imports, directly or not."""
    found: set[Path] = set()
    waiting = [script(stage)]
    # It shapes no out of theirs, and a change of it must not cost a training.
    left_out = [ROOT / "src/mien/tracking"] if stage in LOGGED_LIVE else []
    while waiting:
        path = waiting.pop()
        if path not in found and path.parent not in left_out:
            found.add(path)
            waiting += [source for name in imported(path) if (source := source_of(name))]
    return found


def covered(path: str, declared: list[str]) -> bool:
    return any(path == dep or path.startswith(f"{dep}/") for dep in declared)


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
