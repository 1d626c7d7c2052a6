"""A shell's completion of `mien`, written by shtab."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

from mien.errors import MienError

SHELLS = ("bash", "zsh", "tcsh")


class PrintCompletion(argparse.Action):
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
