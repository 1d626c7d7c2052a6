"""scripts/params_page.py: docs/params.md is fresh, and has every param with its meaning."""

import re
from pathlib import Path

import pytest
from dvc.utils.serialize import load_yaml
from params_page import main

ROOT = Path(__file__).parents[2]


def keys(values: dict, prefix: str = "") -> set[str]:
    """Return the dotted names of all values, those of what is searched as one."""
    found = set()
    for name, value in values.items():
        key = f"{prefix}{name}"
        # A mapping of the user's own names is one param.
        own = key == "data.labels" or key.startswith("tune.search.")
        deeper = isinstance(value, dict) and not own
        found |= keys(value, f"{key}.") if deeper else {key}
    return found


def test_the_page_is_fresh_and_another_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["params_page.py", "--check"])
    monkeypatch.chdir(ROOT)
    main()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    page = (ROOT / "docs/params.md").read_text()
    (tmp_path / "docs/params.md").write_text(page.replace("`seed`", "`seeds`"))
    with pytest.raises(SystemExit, match=r"docs/params\.md does not match params\.py"):
        main()


def test_it_names_every_param_with_its_meaning():
    page = (ROOT / "docs/params.md").read_text()
    rows = re.findall(r"^\| `([\w.]+)` \|.*\| (.*?) ?\|$", page, re.MULTILINE)
    assert {name for name, _ in rows} == keys(load_yaml(ROOT / "params.yaml"))
    assert all(meaning for _, meaning in rows), [name for name, meaning in rows if not meaning]
