"""Takes the pictures of docs/images from the real pages: `python scripts/pictures.py [NAME …]`.

The app with its drawn example, the HTML report, MLflow's table and the page of a pipeline's run, as
they are after `make` on the built-in sample. It needs Chromium.
"""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Page, sync_playwright

# Of this checkout, whatever is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from mien.tracking import store

FOLDER = Path("docs/images")


def main() -> None:
    """Take all pictures, or those that are named."""
    names = sys.argv[1:] or list(PICTURES)
    if unknown := set(names) - set(PICTURES):
        sys.exit(f"pictures: no picture {', '.join(unknown)}; there are {', '.join(PICTURES)}")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("pictures: Chromium is not installed")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name in names:
            width, height, take = PICTURES[name]
            page = browser.new_page(viewport={"width": width, "height": height})
            with take(page):
                page.screenshot(path=FOLDER / f"{name}.png")
            page.close()
        browser.close()


@contextmanager
def served(*command: str) -> Iterator[tuple[int, Any]]:
    """Start a server whose command ends with its port; yield that and what it prints."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([*command, str(port)], stdout=subprocess.PIPE, text=True)
    try:
        while not _answers(port):
            if server.poll() is not None:
                sys.exit(f"pictures: {' '.join(command)} ended with {server.returncode}")
            time.sleep(0.1)
        yield port, server.stdout
    finally:
        server.terminate()
        server.wait()


def _answers(port: int) -> bool:
    with socket.socket() as door:
        return door.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def app(page: Page) -> Iterator[None]:
    """Open the app and click on the example with six faces."""
    run = (sys.executable, "-m", "streamlit", "run", "src/mien/app/server.py")
    with served(*run, "--server.headless", "true", "--server.port") as (port, _):
        page.goto(f"http://127.0.0.1:{port}")
        page.get_by_role("button", name="Six persons").click()
        page.get_by_text("faces").first.wait_for()
        page.wait_for_timeout(3000)
        yield


@contextmanager
def report(page: Page) -> Iterator[None]:
    """Open the HTML report."""
    with TemporaryDirectory() as room:
        file = Path(room, "report.html")
        subprocess.run([sys.executable, "-m", "mien", "report", "--output", file], check=True)
        page.goto(file.as_uri())
        yield


@contextmanager
def mlflow(page: Page) -> Iterator[None]:
    """Open MLflow's table at the address that `make ui` prints."""
    with served(sys.executable, "scripts/ui.py") as (_, printed):
        page.goto(printed.readline().strip())
        page.get_by_text("two_conv").first.wait_for()
        page.wait_for_timeout(2000)
        yield


@contextmanager
def pipeline(page: Page) -> Iterator[None]:
    """Open the page of the last run of the pipeline in MLflow."""
    opened, where = store.connect(Path.cwd()), "tags.`mien.stage` = 'pipeline'"
    run = opened.client.search_runs([opened.experiment], where, max_results=1)[0].info
    with served(sys.executable, "scripts/ui.py") as (_, printed):
        base = printed.readline().partition("#")[0]
        page.goto(
            f"{base}#/experiments/{run.experiment_id}/runs/{run.run_id}?workflowType=machine_learning"
        )
        page.get_by_text("macro-F1").first.wait_for()
        page.wait_for_timeout(2000)
        yield


PICTURES: dict[str, tuple[int, int, Callable[[Page], AbstractContextManager[None]]]] = {
    "app": (1280, 900, app),
    "report": (1280, 900, report),
    "mlflow": (1440, 600, mlflow),
    "pipeline": (1440, 900, pipeline),
}


if __name__ == "__main__":
    main()
