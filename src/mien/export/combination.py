"""The members' graphs as one: `mien.ensembling.combination.combine` in ONNX."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from onnx import ModelProto, NodeProto, TensorProto, compose, helper, numpy_helper

from mien.ensembling.combination import EPSILON
from mien.export.canonical import canonical


def combined(combination: Mapping[str, Any], members: Mapping[str, ModelProto]) -> ModelProto:
    """Return one graph that contains the members and combines and calibrates their output.

    Args:
        combination: see `mien.ensembling.combination`; for a single model, `mean` and a
            temperature.
        members: graphs from `conversion.converted`, by the members' names.

    Returns:
        A graph like those of `converted`, without `maps` if there are several members.
    """
    parts = [
        compose.add_prefix(members[name], f"{place}.", rename_inputs=False)
        for place, name in enumerate(combination["members"])
    ]
    first = parts[0].graph
    kept = {output.name.removeprefix("0."): output for output in first.output}
    if len(parts) > 1:
        kept = {"probabilities": kept["probabilities"]}
    classes = kept["probabilities"].type.tensor_type.shape.dim[1].dim_value
    nodes, constants = _combining(
        combination, [part.graph.output[0].name for part in parts], classes
    )
    kept["probabilities"].name = nodes[-1].output[0]
    for part in reversed(parts):
        nodes = [*part.graph.node, *nodes]
        constants = [*part.graph.initializer, *constants]
    graph = helper.make_graph(nodes, "mien", first.input, [*kept.values()], constants)
    return canonical(helper.make_model(graph, opset_imports=parts[0].opset_import), [*kept])


def _combining(
    combination: Mapping[str, Any], members: Sequence[str], classes: int
) -> tuple[list[NodeProto], list[TensorProto]]:
    """Return the nodes that combine the members' probabilities, and their constants."""
    nodes: list[NodeProto] = []
    constants: list[TensorProto] = []

    def constant(values: ArrayLike, dtype: type = np.float32) -> str:
        name = f"constant{len(constants)}"
        constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"node{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    parts = [node("Max", member, constant(EPSILON)) for member in members]
    together = node("Concat", *parts, axis=1)
    if combination["method"] == "stacking":
        coefficients = constant(combination["coefficients"])
        intercepts = constant(combination["intercepts"])
        log_odds = node("Gemm", node("Log", together), coefficients, intercepts, transB=1)
    else:
        shares = combination.get("weights", [1 / len(parts)] * len(parts))
        mixed = node("Gemm", together, constant(np.kron(np.c_[shares], np.eye(classes))))
        if combination["method"] == "vote":
            depth, values = constant(classes, np.int64), constant([0, 1])
            chosen = [node("ArgMax", part, axis=1, keepdims=0) for part in parts]
            mixed = node("Sum", mixed, *[node("OneHot", each, depth, values) for each in chosen])
        log_odds = node("Log", mixed)
    node("Softmax", node("Div", log_odds, constant(combination["temperature"])), axis=1)
    return nodes, constants
