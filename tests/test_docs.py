"""The documentation: the page of params is fresh, and no link leads nowhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.utils.serialize import load_yaml

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def keys(values: dict, prefix: str = "") -> set[str]:
    """Return the dotted names of all values, those of what is searched as one."""
    found = set()
    for name, value in values.items():
        key = f"{prefix}{name}"
        deeper = isinstance(value, dict) and not key.startswith("tune.search.")
        found |= keys(value, f"{key}.") if deeper else {key}
    return found


def test_the_page_of_params_is_fresh():
    command = [sys.executable, "scripts/params_page.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_page_of_params_names_every_param_with_its_meaning():
    page = (ROOT / "docs/params.md").read_text()
    rows = re.findall(r"^\| `([\w.]+)` \|.*\| (.*?) ?\|$", page, re.MULTILINE)
    assert {name for name, _ in rows} == keys(load_yaml(ROOT / "params.yaml"))
    assert all(meaning for _, meaning in rows), [name for name, meaning in rows if not meaning]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_there(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing
