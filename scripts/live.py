"""Builds the page that reads the browser's camera: `python scripts/live.py [--serve PORT]`.

One static folder, docs/_build/live: the page in live/, the shipped net, YuNet, and onnxruntime-web
from npm, of which nothing is kept in Git.
"""

import http.server
import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

# Of this checkout, whatever is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from mien.crops.detection import FILE
from mien.inference.models import PRETRAINED

ROOT = Path(__file__).resolve().parents[1]
RUNTIME, VERSION = "onnxruntime-web", "1.30.0"
PARTS = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
MODEL = "fer7-small"
# Where npm puts the package, and where the page comes.
PACKAGES, PAGE = ROOT / ".mien/live", ROOT / "docs/_build/live"


def build(page: Path = PAGE) -> Path:
    """Write the page's folder, return it; what npm brought before is used again.

    Raises:
        SystemExit: npm is missing, or cannot bring the package.
    """
    installed = PACKAGES / "node_modules" / RUNTIME
    told = installed / "package.json"
    if not told.is_file() or json.loads(told.read_text())["version"] != VERSION:
        if shutil.which("npm") is None:
            sys.exit("live: npm is not installed; install Node.js 20 or newer")
        PACKAGES.mkdir(parents=True, exist_ok=True)
        options = ("--no-save", "--no-fund", "--no-audit", "--silent", "--ignore-scripts")
        command = ("npm", "install", *options, "--prefix", str(PACKAGES), f"{RUNTIME}@{VERSION}")
        if subprocess.run(command, check=False).returncode:
            sys.exit(f"live: npm cannot bring {RUNTIME} {VERSION}; is there a network?")
    page.mkdir(parents=True, exist_ok=True)
    files = [*(ROOT / "live").iterdir(), *(installed / "dist" / part for part in PARTS)]
    files += [Path(str(PRETRAINED / f"{MODEL}.{kind}")) for kind in ("onnx", "json")]
    for file in files:
        shutil.copy(file, page)
    shutil.copy(FILE, page / "yunet.onnx")
    return page


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the page so that WebAssembly may use threads, which makes it faster."""

    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def end_headers(self) -> None:
        """Add the headers that a page with threads needs."""
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


def main() -> None:
    """Build the page, and serve it to this machine alone if a port is given."""
    page = build()
    if "--serve" not in sys.argv:
        print(f"wrote {page.relative_to(ROOT)}")
        return
    port = int(sys.argv[sys.argv.index("--serve") + 1])
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", port), partial(Handler, directory=page)
    ) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            sys.exit(130)


if __name__ == "__main__":
    main()
