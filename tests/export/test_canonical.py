"""A graph's canonical form: the same bytes, whatever names and order the converter gave."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import onnx
from graphs import IMAGES, file, graph
from onnx import helper, numpy_helper

from mien.export.canonical import canonical
from mien.export.combination import combined
from mien.export.variants import integer, narrow

ALONE = {"method": "mean", "members": ["net"], "temperature": 1.0}
SCRIPT = """
import sys
sys.path[:0] = sys.argv[1:]
import test_canonical
print(*test_canonical.digests())
"""


def digests() -> list[str]:
    """Return the hash of every version of a net."""
    made = combined(ALONE, {"net": graph("compact")})
    versions = [made, narrow(made), integer(made, IMAGES)]
    return [hashlib.sha256(file(version)).hexdigest() for version in versions]


def test_another_process_writes_the_same_bytes():
    here = os.path.dirname(__file__)
    command = [sys.executable, "-c", SCRIPT, here, os.path.dirname(here)]
    # Sets and dicts of the converter are ordered by hashes of names.
    done = subprocess.run(
        command, env=os.environ | {"PYTHONHASHSEED": "7"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-3:] == digests()


def test_equal_constants_and_equal_nodes_become_one_and_idle_ones_go():
    constants = [
        numpy_helper.from_array(np.float32([value]), name)
        for name, value in (("a", 2), ("b", 2), ("c", 3))
    ]
    nodes = [
        helper.make_node("Mul", ["x", "a"], ["left"]),
        helper.make_node("Mul", ["x", "b"], ["right"]),
        helper.make_node("Mul", ["x", "c"], ["idle"]),
        helper.make_node("LeakyRelu", ["left"], ["weak"], alpha=0.1),
        helper.make_node("LeakyRelu", ["right"], ["strong"], alpha=0.2),
        helper.make_node("Add", ["weak", "strong"], ["sum"]),
    ]
    shape = (onnx.TensorProto.FLOAT, ["unk__7", 1])
    made = helper.make_graph(
        nodes,
        "any",
        [helper.make_tensor_value_info("x", *shape)],
        [helper.make_tensor_value_info("sum", *shape)],
        constants,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 2)]
    found = canonical(helper.make_model(made, opset_imports=opsets), ["y"])
    assert [(node.op_type, *node.input, *node.output) for node in found.graph.node] == [
        ("Mul", "x", "c0", "n0"),
        ("LeakyRelu", "n0", "n1"),
        ("LeakyRelu", "n0", "n2"),
        ("Add", "n1", "n2", "y"),
    ]
    assert [tensor.name for tensor in found.graph.initializer] == ["c0"]
    assert [each.domain for each in found.opset_import] == [""]
    assert found.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
