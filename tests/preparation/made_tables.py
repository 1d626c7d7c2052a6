"""Tables of images as the audit sees them, with what a test plants in them."""

import numpy as np
import pandas as pd

from mien.params import Audit, Labels, Policy
from mien.preparation import audit

CLASSES = ["happy", "sad"]
KEEP = Policy(**dict.fromkeys(Policy.model_fields, "keep"))
AUDIT = Audit(
    dark=30,
    bright=220,
    blurred=150,
    near_distance=12,
    policy=KEEP,
    labels=Labels(action="none", arch="compact", folds=2, epochs=2),
)


def table(count: int, **columns: object) -> pd.DataFrame:
    """Return a table of sound, distinct images; `columns` replace what is given."""
    rows = {
        "name": [f"{number}.png" for number in range(count)],
        "label": ["happy"] * count,
        "split": ["train"] * count,
        "bytes": [100] * count,
        "readable": [True] * count,
        "height": [48.0] * count,
        "width": [48.0] * count,
        "spread": [0.0] * count,
        "content": [f"{number:064x}" for number in range(count)],
        "mean": [120.0] * count,
        "std": [50.0] * count,
        "sharpness": [2000.0] * count,
        "group": list(range(count)),
    }
    return pd.DataFrame(rows | columns).astype({"group": "Int64"})


def mixed() -> pd.DataFrame:
    """Return images of every kind of duplicate, some with findings of their own."""
    rng = np.random.default_rng(3)
    count = 300
    content = rng.integers(0, 200, count)
    images = table(
        count,
        name=[f"{number:03d}.png" for number in range(count)],
        content=[f"{code:064x}" for code in content],
        group=content // 2,
        split=rng.choice(["train", "validation", "test"], count),
        mean=rng.uniform(0, 255, count),
    )
    images["label"] = np.where(rng.random(count) < 0.9, "happy", "sad")
    images.loc[[5, 6], "readable"] = False
    images.loc[[5, 6], ["content", "group", "mean", "std", "sharpness", "height", "width"]] = pd.NA
    return images


def findings(images: pd.DataFrame) -> pd.DataFrame:
    return audit.findings(images, 48, AUDIT)
