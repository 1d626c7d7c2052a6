"""Measures training beside products of matrices, and what augmentation costs; a line of JSON.

    python benchmarks/training.py [FACES]

Each of NETS learns FACES random images an epoch by `mien.training.fitting.fit`, once with and once
without augmentation. These two and products of large matrices in the net's precision take turns;
medians count. A training step takes three times the multiply-adds of an answer: once for the
answer, twice for the gradients of weights and of features.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from turns import Training, changed

from mien import faces, models

ROUNDS, SIDE, PRODUCTS = 5, 2048, 8
# Changes of params.yaml: none, and those that the shipped models are trained with.
NETS: list[dict[str, Any]] = [
    {},
    {"model.width": 2.0, "train.precision": "mixed_bfloat16", "train.batch_size": 128},
]


def noise(count: int) -> faces.Faces:
    """Return random images of four classes; how long a step takes does not depend on them."""
    rng = np.random.default_rng(count)
    images = rng.integers(0, 256, (count, 48, 48), dtype=np.uint8)
    codes = np.arange(count) % 4
    index = pd.DataFrame({"name": [str(number) for number in range(count)]})
    index["label"] = pd.Categorical.from_codes(codes, categories=list("abcd"))
    return faces.Faces(images, index.assign(group=np.arange(count), seen=False, copy=0))


def multiplier(precision: str) -> Callable[[], tuple[float, float]]:
    """Return what multiplies PRODUCTS pairs of matrices and tells its wall and CPU seconds."""
    import keras

    kind = precision.removeprefix("mixed_")
    one, other = (keras.random.normal((SIDE, SIDE), dtype=kind) for _ in range(2))

    def multiply() -> tuple[float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(PRODUCTS):
            result = keras.ops.matmul(one, other)
        keras.ops.convert_to_numpy(result)
        return time.perf_counter() - wall, time.process_time() - cpu

    multiply()
    return multiply


def measured(changes: dict[str, Any], folder: Path, count: int) -> dict[str, Any]:
    """Return what one net came to."""
    params = changed(changes)
    spec = params.model.model_dump() | {"classes": list("abcd"), "image_size": 48}
    adds = models.cost(models.build(spec))[1]
    multiply = multiplier(params.train.precision)
    more = changes | {"train.epochs": ROUNDS + 1}
    plain, varied = (
        Training(more | {"augment.each_epoch": each}, folder) for each in (False, True)
    )
    # The first epoch traces the graph.
    for training in (plain, varied):
        training.turn()
    products = []
    for turn in range(ROUNDS):
        for training in (plain, varied) if turn % 2 else (varied, plain):
            training.turn()
        products.append(multiply())
    for training in (plain, varied):
        training.stop()
    # Of each round: wall and CPU seconds.
    without, with_it = (
        np.array([(epoch.wall, epoch.cpu) for epoch in training.epochs[1:]])
        for training in (plain, varied)
    )
    speed = count / np.median(with_it, axis=0)
    product = PRODUCTS * SIDE**3 / np.median(products, axis=0)
    return {
        "changes": changes,
        "multiply_adds": adds,
        "images_per_s": told(speed, 0),
        "products_gmultiply_adds_per_s": told(product / 1e9, 1),
        "share_of_products": told(3 * adds * speed / product, 2),
        "augmented_by_plain": told(np.median(with_it / without, axis=0), 3),
    }


def told(values: np.ndarray, digits: int) -> dict[str, float]:
    """Return a figure by the clock and by processor time, rounded."""
    return dict(zip(("wall", "cpu"), np.round(values, digits).tolist(), strict=True))


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2048
    models.use_backend("tensorflow")
    with tempfile.TemporaryDirectory() as room:
        faces.save(noise(count), Path(room, "train"))
        faces.save(noise(64), Path(room, "validation"))
        nets = [measured(changes, Path(room), count) for changes in NETS]
    print(json.dumps({"cores": os.cpu_count(), "faces": count, "nets": nets}))


if __name__ == "__main__":
    main()
