"""`make ui` and its view of the runs, in a real Chromium."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import listening
from made_state import HISTORY, PARAMS, evaluation, made, project

from mien import tracking

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SCRIPT = Path(__file__).parents[2] / "scripts/ui.py"


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_printed_address_shows_the_scores_of_each_model(tmp_path, monkeypatch):
    root = project(tmp_path, monkeypatch)
    model = made()
    model = replace(model, test={**model.test, "roc_auc": 0.875})
    with tracking.live(model.id, model.inputs, PARAMS, root) as run:
        run.log(HISTORY)
        run.finish(model.record, 1.5)
    tracking.track([model], evaluation(model), root)
    values = {"tags.`mien.arch`": "simple_cnn"} | {
        f"metrics.`{name}`": value
        for name, value in {
            "validation/macro_f1": model.validation["macro_f1"],
            "test/macro_f1": model.test["macro_f1"],
            "test/roc_auc": 0.875,
            "test/accuracy": model.test["accuracy"],
            "cost/parameters": 1000.0,
            "cost/multiply_adds": 2000.0,
            "cost/training_seconds": 1.5,
        }.items()
    }
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, SCRIPT, str(port)],
        cwd=root,
        env={
            **os.environ,
            # Its queue of jobs would be more processes.
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        address = server.stdout.readline().strip()
        assert address.startswith(f"http://mien.localhost:{port}/#/experiments/")
        with playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            for _ in range(240):
                try:
                    page.goto(address)
                    break
                except playwright.Error:
                    page.wait_for_timeout(500)
            for column, value in values.items():
                page.locator(f".ag-header-cell[col-id='{column}']").wait_for(timeout=40_000)
                cell = page.locator(f".ag-row[row-index='0'] [col-id='{column}']")
                # All of it within the window, and within the table.
                box = cell.bounding_box()
                inner = page.locator(".ag-body-viewport").bounding_box()
                assert box["x"] + box["width"] <= inner["x"] + inner["width"] <= 1440
                text = cell.inner_text()
                assert (float(text) if isinstance(value, float) else text) == value
            browser.close()
        assert listening(port) == ["127.0.0.1"]
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()
