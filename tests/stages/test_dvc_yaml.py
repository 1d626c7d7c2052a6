"""dvc.yaml tells the truth: each stage declares the code, the params and the data it uses."""

import ast
import re
from pathlib import Path

import pytest
from dvc.utils.serialize import load_yaml
from stage_project import ROOT

from mien.models import registry
from mien.params import Params

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
# Files that `track` copies beside the champion that MLflow serves: they are run there.
COPIED = {"track": {"src/mien/crops", "src/mien/inference"}}
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


def covers(dep: str, path: str) -> bool:
    return path == dep or path.startswith(f"{dep}/")


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_the_code_it_runs(stage):
    missing = {path for path in code_of(stage) if not any(covers(d, path) for d in declared(stage))}
    assert not missing


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_no_code_it_does_not_run(stage):
    code = code_of(stage)
    idle = [dep for dep in declared(stage) if not any(covers(dep, path) for path in code)]
    # `track` does not run this code, but logs it with the champion, which is served by it.
    assert idle == (["src/mien/crops", "src/mien/inference"] if stage == "track" else [])


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_six_deps_of_code_at_most(stage):
    assert len([dep for dep in STAGES[stage]["deps"] if dep.startswith("src/")]) <= 6


@pytest.mark.parametrize("stage", sorted(TRAINS))
def test_no_chart_can_make_a_training_stale(stage):
    drawing = {path for path in code_of(stage) if path.startswith("src/mien/evaluation/")}
    if stage != "augment":
        drawing |= {path for path in code_of(stage) if path == "src/mien/figures.py"}
    assert not drawing


@pytest.mark.parametrize(
    ("stage", "arch"),
    [
        ("suspects", "audit.labels.arch"),
        ("train", "model.arch"),
        ("tune", "item.arch"),
        ("distill", "item.arch"),
    ],
)
def test_a_training_depends_on_its_own_architecture_alone(stage, arch):
    deps = [dep for dep in STAGES[stage]["deps"] if "architectures" in dep]
    assert deps == [f"src/mien/architectures/${{{arch}}}.py"]
    folder, pattern = re.fullmatch(r"(.*)/\$\{.*\}(\.py)", deps[0]).groups()
    assert ROOT / folder == registry.FOLDER
    assert {path.stem for path in (ROOT / folder).glob(f"[!_]*{pattern}")} == {*registry.names()}


def read_params(stage: str) -> set[str]:
    """Return the params that the stage's script reads, of a whole section each of its own."""
    read = set()
    for node in ast.walk(ast.parse(script(stage).read_text())):
        keys: list[str] = []
        while isinstance(node, ast.Attribute):
            keys.insert(0, node.attr)
            node = node.value
        ours = isinstance(node, ast.Name) and node.id == "params"
        if ours and keys[:1] and keys[0] in Params.model_fields:
            read.add(".".join(keys))
    # `params.data` is no read of its own where `params.data.classes` follows it.
    read = {key for key in read if not any(other.startswith(f"{key}.") for other in read)}
    sections = {key: Params.model_fields[key].annotation for key in read if "." not in key}
    whole = {key: getattr(kind, "model_fields", {}) for key, kind in sections.items()}
    fields = {f"{key}.{field}" for key in whole for field in whole[key]}
    return {key for key in read if not whole.get(key)} | fields


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_the_params_it_reads(stage):
    names = [*STAGES[stage].get("params", []), *NO_PARAMS_OF_A_STAGE]
    read = read_params(stage)
    assert not {key for key in read if not any(f"{key}.".startswith(f"{n}.") for n in names)}


def test_only_evaluate_reads_the_test_split():
    readers = {
        name
        for name, stage in STAGES.items()
        if any("data/faces/test".startswith(dep) for dep in stage["deps"])
    }
    assert readers == {"evaluate"}
