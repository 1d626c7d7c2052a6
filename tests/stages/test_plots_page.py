"""`dvc plots show` in Chromium, with the Vega that DVC's page names: only what is meant is seen."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from dvc.cli import main as dvc
from dvc.utils.serialize import load_yaml
from stage_project import ROOT

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed"),
]
SCRIPT = re.compile(r"https://cdn\.jsdelivr\.net/npm/([\w-]+)@([\d.]+)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder that holds the numbers of this project's state and its declared plots."""
    folder = tmp_path_factory.mktemp("plots")
    for part in (".dvc/plots", "metrics", "reports"):
        shutil.copytree(ROOT / part, folder / part)
    for file in (".dvc/config", "dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / file, folder / file)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def vega(folder):
    """Return the script of each version of Vega's packages that DVC's page names."""
    drawn(folder)
    packages = SCRIPT.findall((folder / "drawn/index.html").read_text())
    assert {name for name, _ in packages} == {"vega", "vega-lite", "vega-embed"}
    scripts = {}
    for name, version in packages:
        # Packed files are built: their dependencies are inside.
        command = ["npm", "pack", "--silent", f"{name}@{version}"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"npm cannot bring {name} {version}; is there a network?")
        shutil.unpack_archive(folder / done.stdout.strip(), folder / name)
        scripts[name] = folder / name / f"package/build/{name}.min.js"
    return scripts


def drawn(folder: Path, *targets: str) -> str:
    """Return the address of the page that `dvc plots show` writes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert dvc(["plots", "show", *targets, "--out", "drawn"]) == 0
    return (folder / "drawn/index.html").as_uri()


def seen(address: str, vega: dict[str, Path], picture: Path) -> list[str | None]:
    """Return the ids of what can be seen on the page, all of which must be drawn charts."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.route(SCRIPT, lambda call: call.fulfill(path=vega[SCRIPT.match(call.request.url)[1]]))
        page.goto(address)
        # Hidden charts are drawn, too; the last ones are drawn last.
        script = (
            "[...document.querySelectorAll('.vega-embed')].every(e => e.querySelector('canvas'))"
        )
        page.wait_for_function(f"document.querySelector('.vega-embed') && {script}")
        page.screenshot(path=picture, full_page=True)
        visible = [part for part in page.query_selector_all("body > *") if part.is_visible()]
        assert all(part.query_selector("canvas").is_visible() for part in visible)
        names = [part.get_attribute("id") for part in visible]
        browser.close()
    return names


def test_only_the_listed_plots_are_seen(folder, vega, tmp_path):
    address = drawn(folder)
    listed = [name for plot in load_yaml(ROOT / "dvc.yaml")["plots"] for name in plot]
    names = [re.sub(r"\W", "_", name) for name in listed]
    assert (folder / "drawn/index.html").read_text().count("vegaEmbed(") > len(names)
    assert seen(address, vega, tmp_path / "plots.png") == names


def test_a_file_that_the_user_names_is_seen(folder, vega, tmp_path):
    address = drawn(folder, "reports/train/history.csv")
    assert seen(address, vega, tmp_path / "plots.png") == ["reports_train_history_csv"]
