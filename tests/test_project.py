"""The names and folders of models, what DVC hashed, and how a stage ends on a mistake."""

import errno
import hashlib
import json
import os
import sys
from pathlib import Path

import pytest
from dvc.repo import Repo
from dvc.utils.serialize import dump_yaml, load_yaml

from mien import params, project
from mien.errors import ParamError
from mien.models import registry
from mien.params import Params
from mien.project import ModelId

# Of DVC's own code.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")

ROOT = Path(__file__).parents[1]
STAGES = load_yaml(ROOT / "dvc.yaml")["stages"]
PARAMS = params.load(ROOT / "params.yaml")


def with_archs(tuned: list[str], taught: list[str]) -> Params:
    tune, distill = PARAMS.tune, PARAMS.distill
    return PARAMS.model_copy(
        update={
            "tune": tune.model_copy(update={"archs": tuple(tuned)}),
            "distill": distill.model_copy(update={"archs": tuple(taught)}),
        }
    )


# Identities


@pytest.mark.parametrize(
    ("model", "name", "dvc_stage", "path"),
    [
        (ModelId("train"), "train", "train", "train"),
        (ModelId("ensemble"), "ensemble", "ensemble", "ensemble"),
        (ModelId("tune", "vgg"), "tune_vgg", "tune@vgg", "tune/vgg"),
        (ModelId("tune", "two_conv"), "tune_two_conv", "tune@two_conv", "tune/two_conv"),
        (
            ModelId("distill", "mobilenet_v2"),
            "distill_mobilenet_v2",
            "distill@mobilenet_v2",
            "distill/mobilenet_v2",
        ),
    ],
)
def test_a_model_has_one_name_and_folders_that_follow_from_it(model, name, dvc_stage, path):
    assert model.name == name
    assert model.dvc_stage == dvc_stage
    assert model.model_folder == Path("models", path)
    assert model.report_folder == Path("reports", path)
    assert model.metrics_file == Path(f"metrics/{path}.json")


@pytest.mark.parametrize("stage", ["train", "tune", "distill", "ensemble"])
def test_the_folders_are_those_that_dvc_yaml_declares(stage):
    declared = STAGES[stage]
    model = ModelId(stage, "two_conv" if "matrix" in declared else "")
    text = json.dumps(declared).replace("${item.arch}", "two_conv")
    outs = json.loads(text)["outs"]
    plots = {path for plot in json.loads(text)["plots"] for path in plot}
    assert outs == [model.model_folder.as_posix()]
    assert plots == {model.metrics_file.as_posix(), model.report_folder.as_posix()}


@pytest.mark.parametrize("stage", ["tune", "distill"])
@pytest.mark.parametrize("arch", registry.names())
def test_the_name_of_a_model_tells_its_stage_and_architecture(stage, arch):
    assert ModelId.parse(f"{stage}_{arch}") == ModelId(stage, arch)
    assert ModelId.parse(ModelId(stage, arch).name) == ModelId(stage, arch)


@pytest.mark.parametrize("stage", ["train", "ensemble"])
def test_the_name_of_a_stage_that_makes_one_model_is_the_models(stage):
    assert ModelId.parse(stage) == ModelId(stage) == ModelId(stage, "")


def test_a_run_is_called_by_the_stage_and_the_kind():
    assert ModelId("tune", "two_conv").run_name("two_conv") == "tune: two_conv"
    assert ModelId("train").run_name("compact") == "train: compact"
    assert ModelId("ensemble").run_name("stacking") == "ensemble: stacking"


def test_a_label_tells_the_kind_once():
    assert ModelId("tune", "two_conv").label("two_conv") == "tune_two_conv"
    assert ModelId("train").label("compact") == "train (compact)"
    assert ModelId("ensemble").label("stacking") == "ensemble (stacking)"


def test_the_ensemble_may_combine_all_but_its_students():
    given = with_archs(["two_conv", "vgg"], ["compact"])
    candidates = [ModelId("train"), ModelId("tune", "two_conv"), ModelId("tune", "vgg")]
    assert project.ensemble_candidates(given) == candidates
    assert project.trained_models(given) == [*candidates, ModelId("distill", "compact")]


# Files of models that are no longer in params.yaml


def test_files_of_gone_models_are_removed_and_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    kept = [
        "models/tune/two_conv/record.json",
        "models/tune/.gitkeep",
        "models/distill/vgg/record.json",
        "models/train/record.json",
        "metrics/tune/two_conv.json",
        "metrics/train.json",
        "reports/tune/two_conv/trials.csv",
        "reports/evaluate/tune_vgg/history.csv",
    ]
    gone = [
        "metrics/distill/two_conv.json",
        "metrics/tune/vgg.json",
        "models/tune/two/record.json",
        "models/tune/vgg/model.weights.h5",
        "reports/tune/vgg/trials.csv",
    ]
    for path in [*kept, *gone]:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()
    project.remove_files_of_gone_models(with_archs(["two_conv"], ["vgg"]))
    assert sorted(p.as_posix() for p in Path().rglob("*") if p.is_file()) == sorted(kept)
    assert not Path("models/tune/vgg").exists()
    told = capsys.readouterr().err.splitlines()
    assert sorted(told) == [
        f"removed {path}: no longer in params.yaml"
        for path in (
            "metrics/distill/two_conv.json",
            "metrics/tune/vgg.json",
            "models/tune/two",
            "models/tune/vgg",
            "reports/tune/vgg",
        )
    ]


def test_a_project_without_models_has_none_to_remove(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    project.remove_files_of_gone_models(PARAMS)
    assert capsys.readouterr().err == ""


# Where this process is


def test_the_stage_is_what_dvc_says_now(monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "tune@two_conv")
    assert project.current_stage() == "tune@two_conv"
    monkeypatch.setenv("DVC_STAGE", "train")
    assert project.current_stage() == "train"
    monkeypatch.delenv("DVC_STAGE")
    monkeypatch.setattr(sys, "argv", ["/a/project/stages/prepare.py"])
    assert project.current_stage() == "prepare"


def test_the_root_is_the_project_of_which_an_experiment_runs_a_copy(tmp_path, monkeypatch):
    (tmp_path / "copy").mkdir()
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    assert project.root() == tmp_path / "copy"
    assert project.scratch() == tmp_path / "copy/.mien"
    monkeypatch.setenv("DVC_ROOT", "..")
    assert project.root() == tmp_path
    assert project.scratch() == tmp_path / ".mien"


# What DVC hashes


@pytest.fixture(scope="module")
def repo(tmp_path_factory) -> Path:
    """A DVC project whose stage `copy` has run."""
    folder = tmp_path_factory.mktemp("repo")
    (folder / "in.txt").write_text("before")
    dump_yaml(folder / "params.yaml", {"seed": 3, "train": {"epochs": 5, "folds": 0}})
    stage = {"deps": ["in.txt"], "params": ["seed", "train.epochs"], "outs": ["out.txt"]}
    command = "cp in.txt out.txt"
    dump_yaml(folder / "dvc.yaml", {"stages": {"copy": {"cmd": command, **stage}}})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with Repo.init(no_scm=True) as repo:
            repo.reproduce()
    return folder


def inputs(text: str, seed: int) -> dict:
    digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    values = {"seed": seed, "train.epochs": 5}
    return {"cmd": "cp in.txt out.txt", "in.txt": digest, "params.yaml": values}


def test_what_a_stage_ran_on_is_what_the_lock_tells(repo, monkeypatch):
    monkeypatch.chdir(repo)
    Path("in.txt").write_text("after")
    dump_yaml("params.yaml", {"seed": 4, "train": {"epochs": 5, "folds": 0}})
    assert project.stage_inputs("copy") == inputs("before", 3)
    monkeypatch.setenv("DVC_STAGE", "copy")
    assert project.stage_inputs() == inputs("after", 4)


# JSON


def test_equal_content_is_written_as_equal_bytes(tmp_path):
    one, other = tmp_path / "new/folder/one.json", tmp_path / "other.json"
    project.write_json(one, {"b": [1.5, None], "a": {"d": "喜び", "c": True}})
    project.write_json(other, {"a": {"c": True, "d": "喜び"}, "b": [1.5, None]})
    assert one.read_bytes() == other.read_bytes()
    assert one.read_text().endswith("}\n")
    assert "喜び" in one.read_text()
    assert project.read_json(one) == {"a": {"c": True, "d": "喜び"}, "b": [1.5, None]}


def test_what_is_no_number_in_json_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        project.write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert not (tmp_path / "a.json").exists()


# The end of a stage


@pytest.fixture
def stage(tmp_path, monkeypatch) -> None:
    """The working folder holds params, and the stage is tune@vgg."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "tune@vgg")
    Path("params.yaml").write_text((ROOT / "params.yaml").read_text())
    # What `run` replaces comes back.
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)


def raising(error: BaseException):
    def main(_: Params) -> None:
        raise error

    return main


def ended(error: BaseException) -> str:
    """Return the line with which a stage ends that raises `error`."""
    with pytest.raises(SystemExit) as caught:
        project.run(raising(error))
    # A text as the exit code goes to stderr, and the code is 1.
    assert isinstance(caught.value.code, str)
    return caught.value.code


def test_a_stage_gets_the_params(stage):
    got = []
    project.run(got.append)
    assert got == [PARAMS]


def test_a_users_mistake_is_one_line(stage):
    assert ended(ParamError("seed: no")) == "tune@vgg: seed: no"
    Path("params.yaml").write_text("seed: many")
    with pytest.raises(SystemExit, match=r"^tune@vgg: params\.yaml: "):
        project.run(lambda _: pytest.fail("it ran"))


def test_a_full_disk_is_one_line_with_the_file_and_the_space(stage):
    line = ended(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "models/a.h5"))
    assert line.startswith("tune@vgg: No space left on device: models/a.h5 (")
    assert "GB free here)" in line
    assert "run `dvc repro` again" in line
    assert ended(OSError("h5py says no")).startswith("tune@vgg: h5py says no (")


def test_an_interrupt_is_one_line(stage):
    line = "tune@vgg: interrupted; the same command again resumes from here"
    assert ended(KeyboardInterrupt()) == line


def test_a_mistake_of_the_code_keeps_its_traceback(stage):
    with pytest.raises(ZeroDivisionError):
        project.run(lambda _: 1 / 0)
