"""The app as it is started and used: a server of its own and Chromium without a window."""

import resource
import shutil
import sys
from contextlib import closing
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import pytest
from conftest import listening, served
from drawn_photos import photo, write

from mien.crops import detection
from mien.inference import models
from mien.inference.reader import Reader

pytest.importorskip("streamlit", reason="Streamlit is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

ROOT = Path(__file__).parents[2]
MAIN = ROOT / "src/mien/app/server.py"


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A project with the committed results and a photo, but no model of its own."""
    folder = tmp_path_factory.mktemp("room")
    for name in ("metrics", "reports"):
        shutil.copytree(ROOT / name, folder / name)
    # Without compression: so large that a server would put it into a temporary file.
    write(folder / "two.bmp", photo(800, 1280, (80, 60, 320, 0), (660, 240, 480, 0)))
    return folder


@pytest.fixture(scope="module")
def address(room):
    """Where the app answers; it can write no larger files."""
    command = [sys.executable, "-m", "streamlit", "run", str(MAIN), "--server.port", "PORT"]
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (2**18, 2**18))
    with served(command, room, preexec_fn=limit) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def browse(address, browser):
    """Return a function that opens a page; a request that leaves the machine fails the test."""
    asked = set()

    def opened(path: str = "", **options):
        page = browser.new_context(**options).new_page()
        page.set_default_timeout(20_000)
        page.on("request", lambda request: asked.add(urlsplit(request.url).hostname))
        page.goto(address + path)
        return page

    yield opened
    # None: what the page itself holds, as data.
    assert asked <= {"127.0.0.1", None}


def test_a_photo_is_uploaded_and_the_answer_is_seen(room, browse):
    page = browse(accept_downloads=True)
    page.locator("input[type=file]").set_input_files(room / "two.bmp")
    page.get_by_text("1 photo, 2 faces").wait_for()
    reader = Reader(models.load("fer7"), detection.YuNet())
    faces = reader.read(cv2.imread(str(room / "two.bmp")))
    page.get_by_role("slider").focus()
    page.keyboard.press("Home")
    for number, face in enumerate(faces, 1):
        page.get_by_text(f"{number} {face.emotion} {face.confidence:.0%}", exact=True).wait_for()
    page.locator("[data-test-script-state=notRunning]").wait_for()
    shown = page.get_by_alt_text("The photo two.bmp, 2 faces").bounding_box()
    boxes = page.locator(".mien-box").all()
    for box, face in zip([one.bounding_box() for one in boxes], faces, strict=True):
        scale = shown["width"] / 1280
        place = box["x"] - shown["x"], box["y"] - shown["y"], box["width"], box["height"]
        assert [side / scale for side in place] == pytest.approx(face.box, abs=1)
    with page.expect_download() as coming:
        page.get_by_role("button", name="Answers of fer7 (CSV)").click()
    rows = Path(coming.value.path()).read_text().splitlines()
    assert rows[0].startswith("image,face,x,y,w,h,emotion,confidence,angry,")
    x, y, width, height = faces[0].box
    assert rows[1].startswith(f"two.bmp,1,{x},{y},{width},{height},{faces[0].emotion},")
    # Nor is anything small of it on the disk.
    assert sorted(path.name for path in room.iterdir()) == [
        "log", "metrics", "reports", "two.bmp",
    ]  # fmt: skip


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(room, browse):
    page = browse()
    (room / "large").mkdir(exist_ok=True)
    large = room / "large/large.png"
    large.write_bytes(bytes(21 * 2**20))
    page.locator("input[type=file]").set_input_files(large)
    page.get_by_text("File must be 20.0MB or smaller").wait_for()
    shutil.rmtree(large.parent)


def test_a_file_that_is_too_large_is_refused_by_the_server(room, browse):
    """One that comes past the page, with the cookie and the address of an upload."""
    page = browse()
    with page.expect_request("**/upload_file/**") as asked:
        page.locator("input[type=file]").set_input_files(room / "two.bmp")
    page.get_by_text("1 photo, 2 faces").wait_for()
    cookies = "; ".join(f"{one['name']}={one['value']}" for one in page.context.cookies())
    headers = {"Cookie": cookies, "Content-Type": "multipart/form-data; boundary=end"}
    if "x-xsrftoken" in (given := asked.value.all_headers()):
        headers["X-Xsrftoken"] = given["x-xsrftoken"]
    url = urlsplit(asked.value.url)

    def status(name: str, size: int) -> int:
        head = b'--end\r\nContent-Disposition: form-data; name="a"; filename="a.png"\r\n\r\n'
        # Not through the browser, which takes half a minute for 21 MB.
        with closing(HTTPConnection(url.netloc, timeout=60)) as server:
            body = head + bytes(size) + b"\r\n--end--\r\n"
            server.request("PUT", f"{url.path}{name}", body, headers)
            return server.getresponse().status

    assert status("1", 2**20) == 204
    assert status("2", 21 * 2**20) == 413


def test_it_listens_on_this_machine_alone(address):
    assert listening(int(address.rpartition(":")[2])) == ["127.0.0.1"]


@pytest.mark.parametrize("path", ["", "/results"])
def test_nothing_reaches_over_the_edge_of_a_phone(room, browse, path):
    page = browse(path, viewport={"width": 390, "height": 800})
    page.get_by_role("heading", level=1).wait_for()
    if not path:
        page.locator("input[type=file]").set_input_files(room / "two.bmp")
        page.get_by_text("1 photo, 2 faces").wait_for()
    else:
        page.get_by_role("heading", name="Data").wait_for()
    page.wait_for_load_state("networkidle")
    over = "main => main.scrollWidth - main.clientWidth"
    assert page.get_by_test_id("stMain").evaluate(over) == 0
