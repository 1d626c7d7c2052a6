"""A canonical form of graphs: the same network gives the same bytes in every process."""

import json
from collections.abc import Sequence

import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

# Supported by every ONNX Runtime since 1.15.
IR_VERSION = 8


def canonical(model: ModelProto, outputs: Sequence[str]) -> ModelProto:
    """Return the graph reduced to what its outputs need, with canonical names and order.

    Walks depth-first from the outputs. Equal constants are merged, and so are identical nodes with
    the same inputs; all names derive from the walk. Traces of the converter (its name, counters in
    names, shapes of inner tensors) are removed.

    Args:
        model: a graph whose inputs and outputs have the batch as first dimension; no subgraphs.
        outputs: new names of its outputs, in order.
    """
    graph = model.graph
    order = _Order(graph, dict(zip((each.name for each in graph.output), outputs, strict=True)))
    values = [*graph.input, *graph.output]
    for value in values:
        value.name = order.names[value.name]
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    inputs, found = values[: len(graph.input)], values[len(graph.input) :]
    domains = {node.domain for node in order.nodes}
    opsets = [each for each in model.opset_import if each.domain in domains]
    return helper.make_model(
        helper.make_graph(order.nodes, "mien", inputs, found, order.constants),
        opset_imports=sorted(opsets, key=lambda each: each.domain),
        ir_version=IR_VERSION,
        producer_name="mien",
    )


def serialised(model: ModelProto, classes: Sequence[str], image_size: int, arch: str) -> bytes:
    """Return the bytes of a canonical graph, equal for equal graphs.

    Its metadata describes input and output: `classes`, a JSON list in the order of the
    probabilities, `image_size` in pixels, and `arch`.
    """
    made = ModelProto()
    made.CopyFrom(model)
    told = {"arch": arch, "classes": json.dumps(list(classes)), "image_size": str(image_size)}
    helper.set_model_props(made, told)
    return made.SerializeToString(deterministic=True)


class _Order:
    """The walk.

    Attributes:
        nodes: the nodes that the outputs need, in topological order.
        constants: the constants that these nodes need.
        names: new names of tensors by their old names.
    """

    def __init__(self, graph: onnx.GraphProto, outputs: dict[str, str]) -> None:
        """Walk through `graph` from its `outputs`, a mapping of old to new names."""
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.names = {"": ""} | {value.name: value.name for value in graph.input}
        self._outputs = outputs
        self._same: dict[object, list[str]] = {}
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        self._makers: dict[str, NodeProto] = {}
        for node in graph.node:
            if node.op_type == "Constant":
                self._tensors[node.output[0]] = node.attribute[0].t
            else:
                self._makers |= dict.fromkeys(node.output, node)
        # No recursion: some networks are a thousand nodes deep.
        stack = [*reversed(outputs)]
        while stack:
            maker = self._makers.get(stack[-1])
            missing = [name for name in maker.input if name not in self.names] if maker else []
            if missing:
                stack.append(missing[0])
            else:
                self._name(stack.pop())

    def _name(self, name: str) -> None:
        """Give the tensor its new name; its inputs already have theirs."""
        if name in self.names:
            return
        if name in self._tensors:
            self._name_constant(name)
        else:
            self._name_node(self._makers[name])

    def _name_constant(self, name: str) -> None:
        values = numpy_helper.to_array(self._tensors[name])
        key = (self._tensors[name].data_type, values.shape, values.tobytes())
        if key not in self._same:
            self._same[key] = [f"c{len(self.constants)}"]
            self.constants.append(numpy_helper.from_array(values, *self._same[key]))
        self.names[name] = self._same[key][0]

    def _name_node(self, node: NodeProto) -> None:
        inputs = [self.names[name] for name in node.input]
        attributes = sorted(node.attribute, key=lambda each: each.name)
        for attribute in attributes:
            if attribute.HasField("t"):
                attribute.t.name = ""
        content = [attribute.SerializeToString(deterministic=True) for attribute in attributes]
        key = (node.domain, node.op_type, *inputs, *content)
        if key not in self._same:
            number = len(self.nodes)
            made = [
                self._outputs.get(name, f"n{number}_{place}" if place else f"n{number}")
                for place, name in enumerate(node.output)
            ]
            self._same[key] = made
            new = NodeProto(op_type=node.op_type, domain=node.domain, name=made[0])
            new.input.extend(inputs)
            new.output.extend(made)
            new.attribute.extend(attributes)
            self.nodes.append(new)
        self.names |= dict(zip(node.output, self._same[key], strict=True))
