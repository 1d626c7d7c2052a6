"""Keras to ONNX: one trained network as a graph from uint8 faces to probabilities."""

import logging
import tempfile
import warnings
from pathlib import Path

import keras
import numpy as np
import onnx
from keras import layers
from onnx import numpy_helper

from mien.export.canonical import canonical

# The last opset in which tf2onnx writes a mean over all positions as global pooling. From 18 on it
# writes a plain mean, which needs transpositions.
OPSET = 17


def converted(model: keras.Model) -> onnx.ModelProto:
    """Return the network as an ONNX graph in canonical form.

    Needs Keras with TensorFlow. The converter folds batch normalisation into the convolutions.

    Args:
        model: from `mien.models.build`: faces, (N, S, S), to probabilities, (N, C).

    Returns:
        A graph with the input `image`, uint8, (N, S, S), and the output `probabilities`,
        float32, (N, C). Networks that end in global average pooling and one layer also have the
        output `maps`, float32, (N, C, H, W): the logit of each class at each position, whose mean
        over all positions is the class's logit. That is CAM (Zhou et al. 2016, arXiv:1512.04150),
        equal to Grad-CAM for such networks (Selvaraju et al. 2017, arXiv:1610.02391).
    """
    # It logs what it cannot convert, which `checked` reports in one line.
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    outputs = _outputs(model)
    signature = keras.InputSpec("uint8", shape=(None, *model.input_shape[1:]), name="image")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # Keras checks whether NumPy still has `np.object`, which makes NumPy warn.
        warnings.simplefilter("ignore", FutureWarning)
        path = Path(folder, "model.onnx")
        keras.Model(model.input, [*outputs.values()]).export(
            path, "onnx", verbose=False, input_signature=[signature], opset_version=OPSET
        )
        made = onnx.load(path)
    _repair(made.graph)
    return canonical(made, [*outputs])


def _outputs(model: keras.Model) -> dict[str, keras.KerasTensor]:
    """Return the outputs of the graph, by name."""
    head = [layer for layer in model.layers if len(layer.output.shape) == 2]
    pool, *rest = [layer for layer in head if not isinstance(layer, layers.Dropout)]
    if not isinstance(pool, layers.GlobalAveragePooling2D) or len(rest) != 1:
        return {"probabilities": model.output}
    maps = pool.input
    if isinstance(rest[0], layers.Dense):
        # A weighted sum of means is the mean of weighted sums: the same layer before the pooling.
        kernel, bias = rest[0].get_weights()
        weigh = layers.Conv2D(len(bias), 1, name="cam_logits")
        maps = weigh(maps)
        weigh.set_weights([kernel[None, None], bias])
    # Explicit names, because automatic ones may already exist in a network that was loaded.
    means = layers.GlobalAveragePooling2D(name="cam_means")(maps)
    probabilities = layers.Softmax(name="cam_probabilities")(means)
    return {
        "probabilities": probabilities,
        "maps": layers.Permute((3, 1, 2), name="cam_maps")(maps),
    }


def _repair(graph: onnx.GraphProto) -> None:
    """Work around errors of the converter and of ONNX Runtime.

    48 × (71 / 48) in float32 is truncated to 70, so resize factors are raised by one bit. ONNX
    Runtime (1.31) merges zero padding into a max-pooling that follows, where padding counts as
    minus infinity; it does not do so for a padding value that is nearly zero.
    """
    scales = {node.input[2] for node in graph.node if node.op_type == "Resize"}
    for tensor in graph.initializer:
        if tensor.name in scales:
            values = numpy_helper.to_array(tensor)
            raised = np.where(values > 1, np.nextafter(values, np.float32(np.inf)), values)
            tensor.CopyFrom(numpy_helper.from_array(raised, tensor.name))
    pooled = {node.input[0] for node in graph.node if node.op_type == "MaxPool"}
    graph.initializer.append(numpy_helper.from_array(np.array(1e-30, np.float32), "nearly_zero"))
    for node in graph.node:
        if node.op_type == "Pad" and node.output[0] in pooled:
            del node.input[2:]
            node.input.append("nearly_zero")
