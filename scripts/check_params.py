"""Looks at params.yaml before any stage runs: else a wrong one is told when it is reached."""

import sys
from pathlib import Path

# Of this checkout, whatever is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from mien import params
from mien.errors import MienError


def main() -> None:
    """Exit with one line if a param is wrong or the data source is missing."""
    try:
        params.require_source(params.load())
    except MienError as error:
        sys.exit(f"make: {error}")


if __name__ == "__main__":
    main()
