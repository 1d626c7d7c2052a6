"""Times ingest, prepare and augment on ever more faces; prints a line of JSON.

    python benchmarks/growth.py [COUNT ...]

The faces are made from those of the built-in sample: two of them blended, turned, lit and roughened
anew for each, and one in a hundred compressed once more as a near-duplicate of the one before. A
million take some 2 GB in a zip and, with what the stages write, 12 GB in the folder for temporary
files, which `TMPDIR` names. Each stage is a process of its own, as under DVC.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from dvc.utils.serialize import modify_yaml

from mien.sources import drawn

ROOT = Path(__file__).resolve().parents[1]
COUNTS = [1_000, 10_000, 100_000, 1_000_000]
STAGES = ("ingest", "prepare", "augment")
SIDE, TILE = 48, 256
# Of ten pictures seven train.
SPLITS = ("train",) * 7 + ("validation", "test", "test")


def sample() -> dict[str, np.ndarray]:
    """Return the sample's faces by class, uint8, shape (N, 48, 48)."""
    faces: dict[str, list[np.ndarray]] = {}
    for item in drawn.items(ROOT / "data/sample"):
        data = np.frombuffer(item.data, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if len(data) else None
        if image is not None and image.shape == (SIDE, SIDE) and image.std() > 20:
            faces.setdefault(item.label, []).append(image)
    return {label: np.array(images) for label, images in sorted(faces.items())}


def made(count: int) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of `count` pictures, the same each time."""
    rng = np.random.default_rng(0)
    faces, rough = sample(), cv2.GaussianBlur(rng.normal(size=(TILE, TILE)), (0, 0), 1)
    rough = (rough / rough.std()).astype(np.float32)
    labels = list(faces)
    image = faces[labels[0]][0]
    for number in range(count):
        label = labels[number // 10 % len(labels)]
        if number % 100 != 99:
            one, two = faces[label][rng.integers(len(faces[label]), size=2)]
            image = cv2.addWeighted(one, share := rng.uniform(0.4, 0.6), two, 1 - share, 0)
            turn = cv2.getRotationMatrix2D((24, 24), rng.uniform(-15, 15), rng.uniform(0.9, 1.2))
            turn[:, 2] = turn[:, 2] + rng.uniform(-3, 3, 2)
            turned = cv2.warpAffine(image, turn, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT_101)
            top, left = rng.integers(TILE - SIDE, size=2)
            grain = rough[top : top + SIDE, left : left + SIDE] * rng.uniform(5, 10)
            image = np.clip(turned * rng.uniform(0.8, 1.2) + grain, 0, 255).astype(np.uint8)
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(75, 95))]
        name = f"{SPLITS[number % 10]}/{label}/{number:07d}.jpg"
        yield name, cv2.imencode(".jpg", image, quality)[1].tobytes()


def lay_params(room: Path, source: str) -> None:
    """Write the project's params into `room`, with another source."""
    shutil.copy(ROOT / "params.yaml", room)
    with modify_yaml(room / "params.yaml") as params:
        params["data"]["source"] = source


def measured(stage: str, room: Path) -> dict[str, float]:
    """Return the seconds, the seconds of computing and the largest memory of a stage in `room`."""
    environment = {**os.environ, "DVC_STAGE": stage, "DVC_ROOT": str(room), "TMPDIR": str(room)}
    start = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, ROOT / f"stages/{stage}.py"],
        cwd=room,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"growth: {stage} failed")
    return {
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mib": round(usage.ru_maxrss / 1024),
    }


def grown(count: int) -> dict[str, object]:
    """Return what each stage takes for `count` pictures."""
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        lay_params(room, "faces.zip")
        with zipfile.ZipFile(room / "faces.zip", "w") as target:
            for picture, data in made(count):
                target.writestr(picture, data)
        stages = {stage: measured(stage, room) for stage in STAGES}
        kept = json.loads((room / "metrics/audit.json").read_text())["kept"]
    cpu = sum(each["cpu_seconds"] for each in stages.values())
    peak = max(each["peak_mib"] for each in stages.values())
    per_image = {"cpu_ms": round(1e3 * cpu / count, 3), "peak_kib": round(1024 * peak / count, 1)}
    return {"images": count, "kept": kept, **stages, "per_image": per_image}


def main() -> None:
    """Measure and print."""
    counts = [int(word) for word in sys.argv[1:]] or COUNTS
    about = {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 2)}
    print(json.dumps({**about, "rows": [grown(count) for count in counts]}))


if __name__ == "__main__":
    main()
