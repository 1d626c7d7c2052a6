"""Smaller versions of a graph with nearly the same output."""

import contextlib
import io
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quant_pre_process,
    quantize_static,
)

from mien.export.canonical import canonical

# The operators with nearly all weights and nearly all computation.
WEIGHED = ["Conv", "MatMul"]
# Percentage of a tensor's values that 8 bits must cover. Of 3,455 predictions of a four-class
# network 98.0 % were unchanged with 99.9, 98.7 % with 99.99, 98.4 % with 100.
PERCENTILE = 99.99
# A kernel with at least as many values is stored in 8 bits, with a scale per output channel. Of 919
# predictions of `mobilenet` 99.5 % were unchanged, 96.7 % with all kernels in 8 bits: the first
# ones are small, and what they lose goes through all layers.
LARGE = 100_000
BATCH = 64


def narrow(model: ModelProto) -> ModelProto:
    """Return the graph with its large kernels in 8 bits and the others in 16: the same speed.

    It is little more than a quarter of the size. It computes in single precision: ONNX Runtime
    converts the weights when it loads the graph.
    """
    made = ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    # The axis of the output channels: the first one of a convolution's kernel, else the last.
    axes = {
        node.input[1]: 0 if node.op_type == "Conv" else -1
        for node in graph.node
        if node.op_type in WEIGHED
    }
    for tensor in list(graph.initializer):
        if tensor.name not in axes:
            continue
        name, values = tensor.name, numpy_helper.to_array(tensor)
        if values.size < LARGE:
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.bits"))
            graph.node.append(
                helper.make_node("Cast", [f"{name}.bits"], [name], to=TensorProto.FLOAT)
            )
            continue
        others = tuple(set(range(values.ndim)) - {axes[name] % values.ndim})
        scale = np.abs(values).max(axis=others, keepdims=True) / 127
        # A channel of zeros stays one.
        codes = np.rint(values / np.where(scale, scale, 1)).astype(np.int8)
        bits, wide, factor = f"{name}.bits", f"{name}.wide", f"{name}.scale"
        tensor.CopyFrom(numpy_helper.from_array(codes, bits))
        graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), factor))
        # Not DequantizeLinear, which would run anew for every batch.
        graph.node.append(helper.make_node("Cast", [bits], [wide], to=TensorProto.FLOAT))
        graph.node.append(helper.make_node("Mul", [wide, factor], [name]))
    return canonical(made, [output.name for output in graph.output])


def integer(model: ModelProto, images: np.ndarray) -> ModelProto:
    """Return the graph with convolutions and dense layers in 8 bits.

    The weights have a scale per output channel and 7 bits: processors without VNNI add two products
    in 16 bits, where 8 bits could overflow.

    Args:
        model: from `combined`.
        images: uint8, shape (N, S, S), some hundreds, to measure the range of the activations.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        prepared, quantized = Path(folder, "prepared.onnx"), Path(folder, "quantized.onnx")
        quant_pre_process(model, prepared, skip_optimization=True, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            quantized,
            _Batches(images),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=WEIGHED,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            # Batch by batch: all at once would need gigabytes, and equal batch sizes.
            extra_options={"CalibPercentile": PERCENTILE, "CalibStridedMinMax": 1},
        )
        made = onnx.load(quantized)
    return canonical(made, [output.name for output in model.graph.output])


class _Batches(CalibrationDataReader):
    """The images in the form that ONNX Runtime's calibration needs."""

    def __init__(self, images: np.ndarray) -> None:
        starts = range(0, len(images), BATCH)
        self._batches = [{"image": images[start : start + BATCH]} for start in starts]
        self._next = iter(self._batches)

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self._batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Make these batches the next ones."""
        self._next = iter(self._batches[start_index:end_index])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next batch, None after the last."""
        return next(self._next, None)
