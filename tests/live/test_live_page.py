"""The live page in Chromium, whose camera plays a made video: it reads as `mien predict` does."""

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed"),
]

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "src/mien/app/examples"


def written(path: Path, scenes: list[np.ndarray]) -> Path:
    """Write pictures, BGR, as the raw video that Chromium's fake camera plays, half a second each.

    The form is YUV4MPEG2, http://wiki.multimedia.cx/index.php/YUV4MPEG2.
    """
    height, width = scenes[0].shape[:2]
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F20:1 Ip A1:1 C420jpeg\n".encode())
        for scene in scenes:
            data = cv2.cvtColor(scene, cv2.COLOR_BGR2YUV_I420).tobytes()
            file.writelines([b"FRAME\n" + data] * 10)
    return path


@pytest.fixture(scope="module")
def camera(tmp_path_factory) -> Path:
    """A video of six drawn persons, of one, of nobody."""
    scene = np.full((480, 640, 3), 120, np.uint8)
    scenes = [scene.copy() for _ in range(3)]
    scenes[0][30:430, 20:620] = cv2.resize(cv2.imread(str(EXAMPLES / "six.jpg")), (600, 400))
    scenes[1][:] = cv2.imread(str(EXAMPLES / "one.jpg"))
    return written(tmp_path_factory.mktemp("camera") / "camera.y4m", scenes)


@pytest.fixture(scope="module")
def address():
    """Where the built page is served; skipped where npm has no network."""
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts/live.py"), "--serve", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    told = server.stdout.readline().strip()
    if not told:
        reason = server.communicate()[1].strip()
        if "npm cannot bring" in reason:
            pytest.skip(reason)
        raise AssertionError(reason)
    yield told
    server.terminate()
    server.wait()


def opened(driver, address: str, *arguments: str):
    """Return a page of a browser with these arguments, and the hosts that it asks."""
    flags = ["--no-sandbox", "--use-fake-ui-for-media-stream", *arguments]
    browser = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(60_000)
    asked = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    page.goto(address)
    return page, asked


def shown(page, count: int) -> dict:
    """Wait for a frame with so many faces; return what was read, and the frame as PNG."""
    script = """count => globalThis.mien?.faces.length === count &&
        { faces: mien.faces, classes: mien.classes, picture: mien.picture(), pace: mien.pace }"""
    for _ in range(600):
        if told := page.evaluate(script, count):
            return told
        page.wait_for_timeout(100)
    raise AssertionError(f"no frame with {count} faces: {page.get_by_role('status').inner_text()}")


def predicted(picture: np.ndarray, folder: Path) -> list[dict]:
    """Return the faces that `mien predict` reads in a picture, in a process of its own."""
    file = folder / "frame.png"
    cv2.imwrite(str(file), picture)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mien",
            "predict",
            str(file),
            "--model",
            "fer7-small",
            "--format",
            "json",
        ],
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)[0]["faces"]


def test_the_page_reads_its_camera_as_predict_reads_the_same_frames(address, camera, tmp_path):
    with playwright.sync_playwright() as driver:
        page, asked = opened(
            driver,
            address,
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={camera}",
        )
        page.get_by_role("button", name="Use the camera").click()
        seen = []
        for count in (6, 1, 0):
            seen.append(shown(page, count))
        status = page.get_by_role("status").inner_text()
        page.screenshot(path=str(tmp_path / "live.png"))
        over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        page.context.browser.close()
    for count, told in zip((6, 1, 0), seen, strict=True):
        data = base64.b64decode(told["picture"].partition(",")[2])
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        expected = predicted(picture, tmp_path)
        assert len(told["faces"]) == len(expected) == count
        for face, other in zip(told["faces"], expected, strict=True):
            assert face["box"] == other["box"]
            shares = dict(zip(told["classes"], face["probabilities"], strict=True))
            assert shares == pytest.approx(other["probabilities"], abs=1e-3)
    assert asked == {urlsplit(address).netloc}
    assert "Nothing is sent or stored." in status
    assert over == 0


def test_a_refused_camera_is_a_sentence(address):
    with playwright.sync_playwright() as driver:
        # Without a device at all.
        page, _ = opened(driver, address)
        page.get_by_role("button", name="Use the camera").click()
        page.get_by_text("No camera is there: connect one, then try again.").wait_for()
        assert page.get_by_role("button", name="Use the camera").is_enabled()
        page.context.browser.close()
