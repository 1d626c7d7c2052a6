"""Put this checkout's code first on the path, and re-export `run`, which every stage calls.

An experiment in a temporary folder runs its own copy of the code, not the installed package.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from mien.project import run

__all__ = ["run"]
