"""The command `mien`."""

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from mien import models
from mien.errors import INSTALL, MienError, TuningError
from mien.inference import command as predict
from mien.models import registry

# For which costs are computed: the pipeline's image size, the number of classes of FER2013.
SIDE, CLASSES = 48, 7
SHELLS = ("bash", "zsh", "tcsh")
ROW = "{:<18} {:>12} {:>15}  {}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; a user's mistake ends in one line and exit code 1.

    Ctrl-C ends in one line and exit code 130, a closed pipe (`mien … | head`) silently with 141, as
    in shells.
    """
    # None if it was closed before the start: then the output is not wanted.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    try:
        try:
            given = _parser().parse_args(arguments)
            given.run(given)
        finally:
            # Not at the interpreter's exit, where an error would be a traceback.
            sys.stdout.flush()
    except MienError as error:
        sys.exit(f"mien: {error}")
    except KeyboardInterrupt:
        print("mien: interrupted", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        # Discard what is still to be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141 if isinstance(error, BrokenPipeError) else f"mien: {error}")


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are like all others: one line, exit code 1."""

    def error(self, message: str) -> NoReturn:
        raise MienError(f"{message}; see `{self.prog} --help`")


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(
        "mien",
        description="Classifies facial expressions.",
        epilog="Example: mien predict photo.jpg",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    parser.add_argument(
        "--print-completion",
        action=_PrintCompletion,
        choices=SHELLS,
        metavar="SHELL",
        help=f"print the script that completes `mien` in {', '.join(SHELLS)}",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser(
        "models",
        help="list the architectures",
        description=f"List the architectures: parameters, multiply-adds for one face of {SIDE} by "
        f"{SIDE} pixels and {CLASSES} classes, and source.",
        epilog="Example: mien models compact resnet --format json",
    )
    listing.add_argument("name", nargs="*", help="architecture; default: all")
    _add_format(listing)
    listing.set_defaults(
        run=lambda given: list_models(given.name or registry.names(), given.format == "json")
    )
    predict.add(commands)
    weights = commands.add_parser(
        "weights",
        help="get trained weights that a network can start from",
        description="Get `faces`, a MobileNet that tells people apart (VGGFace2, for research "
        "only), for model.weights. Run it in the root of the project.",
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
        help="run trials of a shared study in tune.storage",
        description="Run trials of a study until it has all of them. Start it in a checkout of the "
        "project with its data, on any machine that can reach tune.storage, as often as you like.",
        epilog="Example: mien tune-worker compact",
    )
    worker.add_argument("arch", help="one of tune.archs")
    worker.set_defaults(run=lambda given: tune_worker(given.arch))
    report = commands.add_parser(
        "report",
        help="write the state of the pipeline as one HTML file",
        description="Write scores, charts, audit and tuning as one HTML file that opens offline. "
        "Start it in the project's root.",
        epilog="Example: mien report --rev main --output state.html",
    )
    report.add_argument("--rev", help="Git revision; the page shows what changed since")
    report.add_argument("--output", type=Path, default=Path("report.html"), help="%(default)s")
    report.set_defaults(run=lambda given: write_report(given.rev, given.output))
    doctor = commands.add_parser(
        "doctor",
        help="check a project for problems",
        description="Check versions, params, folders, free space, locks, DVC's cache (every object "
        "is hashed again, a damaged one is removed) and MLflow, a line each. Start it in the "
        "project's root. Exit code 1: something is wrong.",
        epilog="Example: mien doctor --repair",
    )
    doctor.add_argument(
        "--repair", action="store_true", help="set MLflow's paths right after a move or a copy"
    )
    _add_format(doctor)
    doctor.set_defaults(run=lambda given: examine(given.repair, given.format == "json"))
    experiments = commands.add_parser(
        "experiments",
        help="list the experiments: what each changed, and its scores",
        description="List the workspace, the last commit and the experiments made from it "
        "(`dvc exp run`), the best on validation first: the params that differ from the commit's, "
        "macro-F1, parameters and minutes of the model of `train`, and the champion.",
        epilog="Example: mien experiments --format csv > experiments.csv",
    )
    _add_format(experiments, "csv")
    experiments.set_defaults(run=lambda given: list_experiments(given.format))
    promote = commands.add_parser(
        "promote",
        help="make the best model of the last experiment the champion",
        description="Move the alias `champion` in MLflow to the model that has `challenger`, the "
        "best one of the last `dvc exp run`. Start it in the project's root.",
        epilog="Example: mien promote",
    )
    promote.set_defaults(run=lambda given: promote_challenger())
    return parser


def _add_format(parser: argparse.ArgumentParser, *more: str) -> None:
    forms = ("table", "json", *more)
    parser.add_argument("--format", choices=forms, default="table", help="%(default)s")


class _Version(argparse.Action):
    """Prints the version; it is looked up, which takes time, only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"mien {version('mien')}")
        parser.exit()


class _PrintCompletion(argparse.Action):
    """Prints the script that a shell reads, and ends the command.

    Nothing of it is imported before it is asked for: completion costs no start-up time.
    """

    def __call__(
        self, parser: argparse.ArgumentParser, _space: object, shell: object, _option: object = None
    ) -> None:
        """Print the script for `shell`, and exit.

        Raises:
            MienError: shtab is not installed.
        """
        if importlib.util.find_spec("shtab") is None:
            raise MienError("shtab is not installed; run `pip install shtab`")
        import shtab

        _complete_files(parser, shtab.FILE)
        print(shtab.complete(parser, str(shell)))
        parser.exit()


def _complete_files(parser: argparse.ArgumentParser, files: object) -> None:
    """Mark the arguments of a parser and of its commands that are files."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _complete_files(command, files)
        elif action.type is Path or action.dest in ("photos", "model"):
            action.complete = files  # type: ignore[attr-defined]


def list_models(names: Sequence[str], as_json: bool) -> None:
    """Print a row per architecture; one that is not in architectures/costs.csv is built.

    Args:
        names: architectures.
        as_json: print a JSON list instead, when all are known.

    Raises:
        MienError: there is no such architecture, or Keras is needed but not installed.
    """
    try:
        names = [registry.known(name) for name in names]
    except ValueError as error:
        raise MienError(str(error)) from error
    costs = registry.measured_costs()
    if as_json:
        columns = ("name", "parameters", "multiply_adds", "source")
        rows = (
            (name, *(costs.get(name) or _measured(name)), registry.source(name)) for name in names
        )
        print(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], indent=1))
        return
    print(ROW.format("name", "parameters", "multiply-adds", "source"), flush=True)
    for name in names:
        parameters, multiply_adds = costs.get(name) or _measured(name)
        million = f"{multiply_adds / 1e6:,.1f} M"
        print(ROW.format(name, f"{parameters:,}", million, registry.source(name)), flush=True)


def _measured(name: str) -> tuple[int, int]:
    """Build an architecture; return its parameters and multiply-adds."""
    backend = next(
        (name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)), None
    )
    if backend is None or importlib.util.find_spec("keras") is None:
        raise MienError(f"Keras is not installed; {INSTALL.format('pipeline')}")
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
    # It imports NumPy, which the other commands do without.
    from mien.models import face_weights

    face_weights.fetch(face_weights.KEPT, path)
    print(f"{face_weights.SOURCE} is in {face_weights.KEPT}; licence: {face_weights.LICENCE}")


def tune_worker(arch: str) -> None:
    """Replace this process by the stage `tune@ARCH`, which only runs trials.

    Raises:
        MienError: params.yaml has no such study in a database, the data is missing, or the
            pipeline is not installed.
    """
    if importlib.util.find_spec("optuna") is None:
        raise MienError(f"Optuna is not installed; {INSTALL.format('pipeline,postgres')}")
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
    # Not a child process, so that signals reach the stage.
    environment = os.environ | {"DVC_STAGE": f"tune@{arch}"}
    os.execve(sys.executable, [sys.executable, "stages/tune.py", arch, "--worker"], environment)


def write_report(rev: str | None, output: Path) -> None:
    """Write the workspace's state as HTML.

    Raises:
        MienError: this is not a project, there is no such revision, or the pipeline is not
            installed.
    """
    if importlib.util.find_spec("dvc") is None:
        raise MienError(f"DVC is not installed; {INSTALL.format('pipeline')}")
    from mien.report import changes, page, staleness, states

    state = states.workspace()
    found = None
    if rev is not None:
        found = changes.compare(states.revision(rev), state, staleness.stale(state))
    output.write_text(page.page(state, found), encoding="utf-8")
    print(f"wrote {output}")


def list_experiments(form: str) -> None:
    """Print a row for each experiment, as `table`, `json` or `csv`.

    Raises:
        MienError: this is no project, it has no experiments, or the pipeline is not installed.
    """
    if importlib.util.find_spec("dvc") is None:
        raise MienError(f"DVC is not installed; {INSTALL.format('pipeline')}")
    from mien.tracking import experiments

    print(experiments.shown(experiments.rows(), form))


def promote_challenger() -> None:
    """Make the challenger in MLflow the champion, and print what changed.

    Raises:
        MienError: this is no project, there is no challenger, or the pipeline is not installed.
    """
    if importlib.util.find_spec("mlflow") is None:
        raise MienError(f"MLflow is not installed; {INSTALL.format('pipeline')}")
    from mien import tracking

    print(tracking.promote(Path.cwd()))


def examine(repair: bool, as_json: bool) -> None:
    """Print a line for each check of the project.

    Args:
        repair: whether MLflow's paths of a moved project are set right, too.
        as_json: print a JSON list instead, when all are done.

    Raises:
        MienError: this is not a project, a check fails, or the pipeline is not installed.
    """
    if importlib.util.find_spec("dvc") is None:
        raise MienError(f"DVC is not installed; {INSTALL.format('pipeline')}")
    if not Path("dvc.yaml").exists():
        raise MienError(f"no dvc.yaml in {Path.cwd()}; go to the project's root")
    from mien import doctor

    checks = []
    for name, good, said in doctor.examine(repair):
        checks.append({"check": name, "ok": good, "evidence": said})
        if not as_json:
            print(f"{'ok   ' if good else 'WRONG'} {name:<9} {said}", flush=True)
    if as_json:
        print(json.dumps(checks, indent=1, ensure_ascii=False))
    if wrong := sum(not check["ok"] for check in checks):
        raise MienError(f"doctor: {wrong} of the checks found something wrong")


if __name__ == "__main__":
    main()
