"""What every stage shares: this workspace's `mien`, the params, and one-line errors."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

SRC = Path(__file__).resolve().parents[1] / "src"
# An experiment in a temporary folder runs its own copy of the code, not the installed one.
sys.path.insert(0, str(SRC))

from mien import params  # noqa: E402
from mien.errors import MienError  # noqa: E402

STAGE = os.environ.get("DVC_STAGE", Path(sys.argv[0]).stem)
# Under `dvc exp run --temp` the working folder is a copy; what must outlive it lies here.
ROOT = Path(os.environ.get("DVC_ROOT", ".")).resolve()
SCRATCH = ROOT / ".mien"


def run(main: Callable[[params.Params], None]) -> None:
    """Call `main` with the params; a user's mistake or a disk's ends in one line, exit code 1."""
    try:
        main(params.load())
    except MienError as error:
        sys.exit(f"{STAGE}: {error}")
    except OSError as error:
        # HDF5 closes a file that it could not write only now, and prints tracebacks of it.
        sys.excepthook = lambda *_: None
        sys.unraisablehook = lambda _: None
        reason = os.strerror(error.errno) if error.errno else str(error)
        place = f": {error.filename}" if error.filename else ""
        free = shutil.disk_usage(".").free / 1e9
        sys.exit(
            f"{STAGE}: {reason}{place} ({free:.1f} GB free here); mend that, then run `dvc repro` "
            "again: it goes on from the last checkpoint"
        )
    except KeyboardInterrupt:
        sys.exit(f"{STAGE}: interrupted; the next `dvc repro` goes on from here")


def members(params: params.Params) -> dict[str, str]:
    """Return the `places` of the models that an ensemble may combine."""
    return {"train": "train"} | {f"tune_{arch}": f"tune/{arch}" for arch in params.tune.archs}


def places(params: params.Params) -> dict[str, str]:
    """Return the name of each trained model and its place in models/, metrics/ and reports/."""
    students = {f"distill_{arch}": f"distill/{arch}" for arch in params.distill.archs}
    return members(params) | students


def inputs(name: str = STAGE) -> dict[str, Any]:
    """Return what DVC hashes for a stage: its command, path to md5, params file to its values.

    The command alone tells the stages of a matrix apart.

    Of the running stage as it is now, of another as dvc.lock has it.
    """
    from dvc.repo import Repo

    with Repo(".") as repo:
        stage = repo.stage.collect(name)[0]
        if name == STAGE:
            stage.save_deps()
        hashes = {dep.def_path: dep.hash_info.value for dep in stage.deps}
        return {"cmd": stage.cmd} | hashes


def write_json(path: Path, content: object) -> None:
    """Write `content` so that equal content gives equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(f"{text}\n", encoding="utf-8")
