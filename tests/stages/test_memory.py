"""What `prepare` and `augment` do with the images takes memory for a few of them, not for all."""

import subprocess
import sys

from stage_project import ROOT

SIDE = 96
SCRIPT = f"""
import resource, sys
from pathlib import Path
import numpy as np, pandas as pd
from mien.preparation import audit, duplicates
from mien import faces, params
from mien.training.augmentation import training_set

count, folder = int(sys.argv[1]), Path(sys.argv[2])
rng = np.random.default_rng(0)
images = faces.SpooledImages({SIDE})
for _ in range(count // 250):
    images.append(rng.integers(0, 256, (250, {SIDE}, {SIDE}), dtype=np.uint8))
rows = pd.Series(range(count))
audit.measures(images, rows >= 0)
group = duplicates.groups(images, rows.astype(str), 12)
assert len(set(group)) == count
label = pd.Categorical.from_codes(rows % 2, categories=["happy", "sad"])
index = pd.DataFrame({{"name": rows.astype(str), "label": label, "group": group, "copy": 0}})
training = training_set(faces.Faces(images, index), params.load().augment, 0)
faces.save(training, folder)
assert faces.load(folder).images.shape == (2 * count, {SIDE}, {SIDE})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(count: int, folder) -> int:
    """Return the most memory, in bytes, that a process held which worked on `count` images."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(count), str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout) * 1024


def test_four_times_the_images_take_hardly_more_memory(tmp_path):
    few, many = peak(2500, tmp_path / "few"), peak(10_000, tmp_path / "many")
    assert many - few < 0.5 * 7500 * SIDE**2
