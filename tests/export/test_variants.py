"""Smaller versions of a graph keep its answers."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from graphs import IMAGES, file, graph, said
from onnx import numpy_helper

from mien.export import variants
from mien.export.checking import probabilities
from mien.export.variants import integer, narrow


@pytest.mark.parametrize(("large", "size", "apart"), [(100_000, 0.52, 1e-2), (1_000, 0.4, 5e-2)])
def test_narrow_weights_make_the_file_small_and_keep_the_answers(monkeypatch, large, size, apart):
    """The kernels of this net have at most 36,864 values: in 16 bits, or most of them in 8."""
    monkeypatch.setattr(variants, "LARGE", large)
    made = narrow(graph("vgg"))
    assert len(file(made)) < size * len(file(graph("vgg")))
    found = probabilities(file(made), IMAGES)
    assert 0 < np.abs(found - said("vgg")).max() < apart
    onnx.checker.check_model(made, full_check=True)
    session = ort.InferenceSession(file(made))
    assert (session.get_inputs()[0].type, session.get_outputs()[0].type) == (
        "tensor(uint8)",
        "tensor(float)",
    )


def test_integers_quarter_the_file_and_keep_the_answers(capfd):
    # More than one batch, the last one smaller.
    made = integer(graph("vgg"), np.concatenate([IMAGES, IMAGES, IMAGES[:6]]))
    assert capfd.readouterr().out == ""
    assert len(file(made)) < 0.3 * len(file(graph("vgg")))
    found = probabilities(file(made), IMAGES)
    assert 0 < np.abs(found - said("vgg")).max() < 0.1
    onnx.checker.check_model(made, full_check=True)
    weights = [
        numpy_helper.to_array(each)
        for each in made.graph.initializer
        if each.data_type == onnx.TensorProto.INT8 and len(each.dims) > 1
    ]
    assert len(weights) == 10
    # 7 bits, see `integer`.
    assert max(np.abs(each.astype(int)).max() for each in weights) <= 64
