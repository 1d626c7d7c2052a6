"""The command `mien`."""

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from mien import models
from mien.errors import MienError, TuningError
from mien.inference import command as predict
from mien.models import face_weights, registry

# The task in numbers: faces of the pipeline's size, the classes of FER2013.
SIDE, CLASSES = 48, 7
ROW = "{:<18} {:>12} {:>15}  {}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; a user's mistake ends in one line and exit code 1.

    Ctrl-C ends in one line and 130, a closed pipe (`mien … | head`) in silence and 141, the codes
    that shells give them.
    """
    # None where it was closed before the start: then nobody wants to read it.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    try:
        try:
            given = _parser().parse_args(arguments)
            given.run(given)
        finally:
            # Not left to the interpreter's end, where what fails is a traceback.
            sys.stdout.flush()
    except MienError as error:
        sys.exit(f"mien: {error}")
    except KeyboardInterrupt:
        print("mien: interrupted", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        # What is still to be written goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141 if isinstance(error, BrokenPipeError) else f"mien: {error}")


class _Parser(argparse.ArgumentParser):
    """One whose errors are as all others: one line, exit code 1."""

    def error(self, message: str) -> NoReturn:
        raise MienError(f"{message}; see `{self.prog} --help`")


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser("mien", description="Reads facial expressions.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser(
        "models",
        help="list the architectures",
        description=f"List the architectures: parameters, multiply-adds for one face of {SIDE} by "
        f"{SIDE} pixels and {CLASSES} classes, and source.",
    )
    listing.add_argument("name", nargs="*", help="architecture; all of them if left out")
    listing.set_defaults(run=lambda given: list_models(given.name or registry.names()))
    predict.add(commands)
    weights = commands.add_parser(
        "weights",
        help="get trained weights that a net can start from",
        description="Get `faces`, a MobileNet that tells people apart (VGGFace2, for research "
        "only), for model.weights. Start it in the project's root.",
    )
    weights.add_argument("name", choices=["faces"], help="%(choices)s")
    weights.add_argument(
        "path",
        nargs="?",
        type=Path,
        help="folder with the two files; left out: they are downloaded",
    )
    weights.set_defaults(run=lambda given: get_weights(given.path))
    worker = commands.add_parser(
        "tune-worker",
        help="work on the study of an architecture that lies in tune.storage",
        description="Run trials of a study, until it has all of them. Start it in a checkout of "
        "the project with its data, on any machine that reaches tune.storage, as often as wanted.",
    )
    worker.add_argument("arch", help="one of tune.archs")
    worker.set_defaults(run=lambda given: tune_worker(given.arch))
    report = commands.add_parser(
        "report",
        help="write the state of the pipeline as one HTML file",
        description="Write scores, charts, audit and tuning as one HTML file that opens offline. "
        "Start it in the project's root.",
    )
    report.add_argument("--rev", help="revision in Git; the page tells what changed since")
    report.add_argument("--output", type=Path, default=Path("report.html"), help="%(default)s")
    report.set_defaults(run=lambda given: write_report(given.rev, given.output))
    doctor = commands.add_parser(
        "doctor",
        help="look for what is wrong with a project",
        description="Check versions, params, folders, free space, locks, DVC's cache (every object "
        "is hashed anew, a damaged one removed) and MLflow, a line each. Start it in the project's "
        "root.",
    )
    doctor.set_defaults(run=lambda given: examine())
    return parser


def list_models(names: Sequence[str]) -> None:
    """Print a row for each architecture; one that architectures/costs.csv lacks is built for it.

    Raises:
        MienError: there is no such architecture, or Keras is needed and not installed.
    """
    try:
        names = [registry.known(name) for name in names]
    except ValueError as error:
        raise MienError(str(error)) from error
    costs = registry.measured_costs()
    print(ROW.format("name", "parameters", "multiply-adds", "source"), flush=True)
    for name in names:
        parameters, multiply_adds = costs.get(name) or _measured(name)
        million = f"{multiply_adds / 1e6:,.1f} M"
        print(ROW.format(name, f"{parameters:,}", million, registry.source(name)), flush=True)


def _measured(name: str) -> tuple[int, int]:
    """Return parameters and multiply-adds of an architecture, built to be measured."""
    backend = next(
        (name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)), None
    )
    if backend is None or importlib.util.find_spec("keras") is None:
        raise MienError("Keras is not installed; run `pip install 'mien[pipeline]'`")
    models.use_backend(backend)
    spec = {"arch": name, "classes": [""] * CLASSES, "image_size": SIDE}
    return models.cost(models.build(spec))


def get_weights(path: Path | None) -> None:
    """Put the files of `faces` where a training looks for them.

    Raises:
        MienError: this is no project, or the files cannot be had.
    """
    if not Path("params.yaml").exists():
        raise MienError(f"no params.yaml in {Path.cwd()}; go to the project's root")
    face_weights.fetch(face_weights.KEPT, path)
    print(f"{face_weights.SOURCE} is in {face_weights.KEPT}; licence: {face_weights.LICENCE}")


def tune_worker(arch: str) -> None:
    """Become a process of the stage `tune@ARCH` that only runs trials.

    Raises:
        MienError: params.yaml has no such study in a database, the data is not there, or the
            pipeline is not installed.
    """
    if importlib.util.find_spec("optuna") is None:
        raise MienError("Optuna is not installed; run `pip install 'mien[pipeline,postgres]'`")
    from mien import params

    tune = params.load().tune
    if arch not in tune.archs:
        raise TuningError(f"{arch} is not among tune.archs: {', '.join(tune.archs) or 'none'}")
    if tune.storage is None:
        raise TuningError(
            "tune.storage is empty; a worker joins a study in PostgreSQL, postgresql://…"
        )
    for path in ("stages/tune.py", "data/training", "data/faces/validation"):
        if not Path(path).exists():
            raise TuningError(f"{path} is missing; run this in the project, after `dvc pull`")
    # Not a child: signals are to reach the one that works.
    environment = os.environ | {"DVC_STAGE": f"tune@{arch}"}
    os.execve(sys.executable, [sys.executable, "stages/tune.py", arch, "--worker"], environment)


def write_report(rev: str | None, output: Path) -> None:
    """Write the workspace's state as HTML.

    Raises:
        MienError: this is no project, Git knows no such revision, or the pipeline is not installed.
    """
    if importlib.util.find_spec("dvc") is None:
        raise MienError("DVC is not installed; run `pip install 'mien[pipeline]'`")
    from mien.report import changes, page, staleness, states

    state = states.workspace()
    found = None
    if rev is not None:
        found = changes.compare(states.revision(rev), state, staleness.stale(state))
    output.write_text(page.page(state, found), encoding="utf-8")
    print(f"wrote {output}")


def examine() -> None:
    """Print a line for each check of the project.

    Raises:
        MienError: this is no project, something is wrong, or the pipeline is not installed.
    """
    if importlib.util.find_spec("dvc") is None:
        raise MienError("DVC is not installed; run `pip install 'mien[pipeline]'`")
    if not Path("dvc.yaml").exists():
        raise MienError(f"no dvc.yaml in {Path.cwd()}; go to the project's root")
    from mien import doctor

    wrong = 0
    for name, good, said in doctor.examine():
        print(f"{'ok   ' if good else 'WRONG'} {name:<9} {said}", flush=True)
        wrong += not good
    if wrong:
        raise MienError(f"doctor: {wrong} of the checks found something wrong")


if __name__ == "__main__":
    main()
