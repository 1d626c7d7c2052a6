"""Runs the pipeline on a source of any name: `make run SOURCE='a (1).zip' SET='train.epochs=3'`.

DVC reads `-S key=value` by Hydra's grammar, in which spaces, commas, brackets, apostrophes, `#` and
`~` mean something; here the path is quoted for it.
"""

import os
import re
import shlex
import subprocess
import sys


def main() -> None:
    """Run `dvc exp run` with SOURCE and SET from the environment; exit as it does."""
    source, settings = os.environ.get("SOURCE", ""), os.environ.get("SET", "")
    command = [sys.executable, "-m", "dvc", "exp", "run"]
    if source:
        path = os.path.expanduser(source)
        if not os.path.exists(path):
            sys.exit(f"run: SOURCE: {path} does not exist; name a folder, an archive or a table")
        # A queued experiment runs in another folder. What DVC tracks is there, too.
        if not os.path.exists(f"{path}.dvc"):
            path = os.path.abspath(path)
        command += ["-S", f"data.source={quoted(path)}"]
    try:
        for setting in shlex.split(settings):
            key, _, value = setting.partition("=")
            if key == "data.source" and not os.path.exists(value.strip("'")):
                sys.exit(
                    f"run: {key}: {value} does not exist; name a folder, an archive or a table"
                )
            command += ["-S", setting]
    except ValueError as error:
        sys.exit(f"run: SET: {error}; write SET='key=value key=value'")
    sys.exit(subprocess.run(command, check=False).returncode)


def quoted(text: str) -> str:
    """Return the text as a quoted value of Hydra's grammar.

    >>> print(quoted("it's (1).zip"))
    'it\\'s (1).zip'
    """
    # Backslashes count only before a quote, the closing one too.
    escaped = re.sub(r"(\\*)('|\Z)", lambda run: run[1] * 2 + run[2].replace("'", "\\'"), text)
    return f"'{escaped}'"


if __name__ == "__main__":
    main()
