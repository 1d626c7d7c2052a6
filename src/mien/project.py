"""What the stages share: folders, identities of models, DVC's hashes, one-line errors.

A project is a checkout with `dvc.yaml` and `params.yaml`. Nothing here affects the content of an
output of the pipeline.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.errors import MienError
from mien.params import Params, load

# Folders with files of models.
TOPS = ("metrics", "models", "reports")


@dataclass(frozen=True)
class ModelId:
    """The identity of a model, from which all its names and folders derive.

    Attributes:
        stage: stage of dvc.yaml that makes it: `train`, `tune`, `distill` or `ensemble`.
        arch: architecture of a model of a matrix stage (`tune`, `distill`); empty for the other
            stages.

    >>> model = ModelId.parse("tune_two_conv")
    >>> model.dvc_stage, model.model_folder.as_posix(), model.run_name("two_conv")
    ('tune@two_conv', 'models/tune/two_conv', 'tune: two_conv')
    """

    stage: str
    arch: str = ""

    @classmethod
    def parse(cls, name: str) -> "ModelId":
        """Return the identity of the model called `name`, such as `train` or `tune_two_conv`."""
        stage, _, arch = name.partition("_")
        return cls(stage, arch)

    @property
    def name(self) -> str:
        """The model's name in tables, params and MLflow, such as `tune_two_conv`."""
        return f"{self.stage}_{self.arch}" if self.arch else self.stage

    @property
    def dvc_stage(self) -> str:
        """DVC's name of its stage, such as `tune@two_conv`."""
        return f"{self.stage}@{self.arch}" if self.arch else self.stage

    @property
    def model_folder(self) -> Path:
        """Folder of its `record.json` and weights."""
        return Path("models", self.stage, self.arch)

    @property
    def report_folder(self) -> Path:
        """Folder of its tables."""
        return Path("reports", self.stage, self.arch)

    @property
    def metrics_file(self) -> Path:
        """JSON file of its scores on validation."""
        return Path("metrics", f"{'/'.join(filter(None, (self.stage, self.arch)))}.json")

    def run_name(self, kind: str) -> str:
        """Return the name of its run in MLflow.

        Args:
            kind: its architecture or, for an ensemble, the method that combines the members.
        """
        return f"{self.stage}: {kind}"

    def label(self, kind: str) -> str:
        """Return its name with `kind` in brackets, unless the name ends with `kind`."""
        return self.name if self.name.endswith(kind) else f"{self.name} ({kind})"


def ensemble_candidates(params: Params) -> list[ModelId]:
    """Return the models that an ensemble can combine: that of `train` and the tuned ones."""
    return [ModelId("train"), *(ModelId("tune", arch) for arch in params.tune.archs)]


def trained_models(params: Params) -> list[ModelId]:
    """Return every model that is trained: the candidates and the students."""
    students = [ModelId("distill", arch) for arch in params.distill.archs]
    return [*ensemble_candidates(params), *students]


def remove_files_of_gone_models(params: Params) -> None:
    """Remove the files of models that are no longer in tune.archs or distill.archs, with a message.

    DVC does not delete the outputs of a removed stage, but later stages depend on their parent
    folders. A `.gitkeep` stays.
    """
    kept = {(model.stage, model.arch) for model in trained_models(params)}
    for stage in ("tune", "distill"):
        for path in sorted(path for top in TOPS for path in Path(top, stage).glob("[!.]*")):
            if (stage, path.name.removesuffix(".json")) not in kept:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                print(f"removed {path.as_posix()}: no longer in params.yaml", file=sys.stderr)


def current_stage() -> str:
    """Return DVC's name of the stage that this process runs, such as `tune@two_conv`."""
    return os.environ.get("DVC_STAGE", Path(sys.argv[0]).stem)


def root() -> Path:
    """Return the project's folder.

    Under `dvc exp run --temp` the working folder is a temporary copy, the result is not.
    """
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()


def scratch() -> Path:
    """Return the folder for checkpoints, studies and downloads, which Git and DVC ignore."""
    return root() / ".mien"


def stage_inputs(stage: str | None = None) -> dict[str, Any]:
    """Return what DVC hashes for a stage: its command, md5 by path, values by params file.

    The command distinguishes the stages of a matrix.

    Args:
        stage: DVC's name of a stage, for the state in dvc.lock; None: the running stage, as it is
            now.
    """
    from dvc.repo import Repo

    with Repo(".") as repo:
        found = repo.stage.collect(stage or current_stage())[0]
        if stage is None:
            found.save_deps()
        hashes = {dep.def_path: dep.hash_info.value for dep in found.deps}
        return {"cmd": found.cmd} | hashes


def read_json(path: Path) -> dict[str, Any]:
    """Return the content of the JSON file at `path`."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def write_json(path: Path, content: object) -> None:
    """Write `content` as JSON; equal content gives equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(f"{text}\n", encoding="utf-8")


def run(main: Callable[[Params], None]) -> None:
    """Call `main` with the params; mistakes and disk errors end in one line and exit code 1."""
    stage = current_stage()
    try:
        main(load())
    except MienError as error:
        sys.exit(f"{stage}: {error}")
    except OSError as error:
        # HDF5 closes files that it could not write at exit and prints tracebacks about them.
        sys.excepthook = lambda *_: None
        sys.unraisablehook = lambda _: None
        reason = os.strerror(error.errno) if error.errno else str(error)
        place = f": {error.filename}" if error.filename else ""
        free = shutil.disk_usage(".").free / 1e9
        sys.exit(
            f"{stage}: {reason}{place} ({free:.1f} GB free here); fix that, then run `dvc repro` "
            "again: it resumes from the last checkpoint"
        )
    except KeyboardInterrupt:
        sys.exit(f"{stage}: interrupted; the same command again resumes from here")
