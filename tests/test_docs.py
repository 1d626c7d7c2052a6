"""The documentation: no link leads nowhere."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_link_to_a_file_leads_there():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "results/README.md"]
    pages += (ROOT / "docs").glob("*.md")
    missing = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text())
        if "://" not in link and not (page.parent / link).exists()
    ]
    assert not missing


def test_every_run_that_a_page_repeats_has_its_settings():
    pages = [ROOT / "README.md", ROOT / "results/README.md", *(ROOT / "docs").glob("*.md")]
    named = {name for page in pages for name in re.findall(r"NAME=(\w+)", page.read_text())}
    assert named
    assert not [name for name in named if not (ROOT / "results" / name / "settings.yaml").is_file()]
