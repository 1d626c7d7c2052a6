"""Time a shipped model and, for comparison, a ResNet18 at 224 pixels; print a line of JSON.

    python benchmarks/inference.py [fer4 | fer7 | FILE] [FACES]

Both run in ONNX Runtime on all cores, one thread per run, alternating in this process. Then
`mien predict` classifies a folder of FACES crops as a process, including its start.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from mien.inference.models import load

Run = Callable[[np.ndarray], object]
ROUNDS, SINGLE, BATCH = 5, 200, 64
# Output channels of ResNet18's four stages; He et al. 2016, arXiv:1512.03385.
STAGES = (64, 128, 256, 512)


def resnet18(classes: int) -> bytes:
    """Return a random ResNet18 for float32 (N, 3, 224, 224), with folded batch normalisation."""
    rng = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []

    def add(kind: str, inputs: list[str], **attributes: Any) -> str:
        name = f"x{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(shape: tuple[int, ...]) -> str:
        name = f"w{len(weights)}"
        scale = np.sqrt(2 / np.prod(shape[1:]))
        values = rng.normal(0, scale, shape).astype(np.float32)
        weights.append(numpy_helper.from_array(values, name))
        return name

    def convolution(x: str, taken: int, given: int, side: int, stride: int) -> str:
        pad = side // 2
        inputs = [x, constant((given, taken, side, side)), constant((given,))]
        return add("Conv", inputs, strides=[stride] * 2, pads=[pad] * 4)

    x = add("Relu", [convolution("image", 3, 64, 7, 2)])
    x = add("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    taken = 64
    for given in STAGES:
        for block in range(2):
            stride = 2 if given > 64 and block == 0 else 1
            inner = add("Relu", [convolution(x, taken, given, 3, stride)])
            inner = convolution(inner, given, given, 3, 1)
            short = x if stride == 1 else convolution(x, taken, given, 1, stride)
            x, taken = add("Relu", [add("Add", [inner, short])]), given
    x = add("Flatten", [add("GlobalAveragePool", [x])])
    x = add("Softmax", [add("Gemm", [x, constant((classes, 512)), constant((classes,))], transB=1)])
    graph = helper.make_graph(
        nodes,
        "resnet18",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 224, 224])],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["n", classes])],
        weights,
    )
    opsets = [helper.make_opsetid("", 17)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def usual() -> ort.InferenceSession:
    """Return the ResNet18 in ONNX Runtime, with the same settings as the shipped model."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(resnet18(7), options, providers=["CPUExecutionProvider"])


def seconds(run: Run, images: np.ndarray, count: int) -> list[float]:
    """Return the duration of each of `count` runs."""
    taken = []
    for _ in range(count):
        start = time.perf_counter()
        run(images)
        taken.append(time.perf_counter() - start)
    return taken


def rate(run: Run, images: np.ndarray, batches: int) -> float:
    """Return the images per second on all cores, a batch on each."""
    start = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(run, [images] * batches))
    return batches * len(images) / (time.perf_counter() - start)


def folder_rate(model: str, count: int) -> float:
    """Return the faces per second of `mien predict` on a folder of crops."""
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room, "faces")
        folder.mkdir()
        for number in range(count):
            noise = rng.integers(0, 256, (6, 6), dtype=np.uint8)
            face = cv2.resize(noise, (48, 48), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(folder / f"{number:06d}.png"), face)
        command = [sys.executable, "-m", "mien.cli", "predict", "--no-detect", "--model", model]
        command += ["--output", str(Path(room, "said.csv")), str(folder)]
        start = time.perf_counter()
        subprocess.run(command, check=True)
        return count / (time.perf_counter() - start)


def main() -> None:
    """Measure and print."""
    name = sys.argv[1] if len(sys.argv) > 1 else "fer7"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    ours, other = load(name), usual()
    small = np.random.default_rng(2).integers(0, 256, (BATCH, 48, 48), dtype=np.uint8)
    large = np.random.default_rng(3).normal(size=(8, 3, 224, 224)).astype(np.float32)

    def run_other(images: np.ndarray) -> None:
        other.run(None, {"image": images})

    one: list[float] = []
    its_one: list[float] = []
    many, its_many = [], []
    for _ in range(ROUNDS):
        one += seconds(ours, small[:1], SINGLE)
        its_one += seconds(run_other, large[:1], SINGLE // 20)
        many.append(rate(ours, small, 16))
        its_many.append(rate(run_other, large, 4))
    result = {
        "model": name,
        "cores": os.cpu_count(),
        "one_face_p50_ms": round(1e3 * float(np.percentile(one, 50)), 3),
        "one_face_p99_ms": round(1e3 * float(np.percentile(one, 99)), 3),
        "faces_per_second": round(float(np.median(many))),
        "resnet18_one_p50_ms": round(1e3 * float(np.percentile(its_one, 50)), 3),
        "resnet18_per_second": round(float(np.median(its_many)), 1),
        "times_faster_at_one": round(float(np.median(its_one) / np.median(one)), 1),
        "times_faster_in_batches": round(float(np.median(many) / np.median(its_many)), 1),
        "folder": {"faces": count, "faces_per_second": round(folder_rate(name, count))},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
