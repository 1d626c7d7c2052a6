"""A file that answers otherwise than Keras is refused; a smaller one may differ a little."""

import json

import numpy as np
import onnx
import pytest
from graphs import IMAGES, file, graph, said

from mien.errors import ExportError
from mien.export.checking import checked, verdict


def test_a_file_that_answers_otherwise_is_refused():
    other = np.roll(said("vgg"), 1, axis=1)
    with pytest.raises(ExportError, match=r"within 0\.0001, got a difference of 0\.\d"):
        checked(file(graph("vgg")), IMAGES, other)
    with pytest.raises(ExportError, match="got a difference of nan"):
        checked(file(graph("vgg")), IMAGES, other * np.nan)


def test_a_graph_with_an_unknown_operation_is_refused_in_one_line():
    broken = onnx.ModelProto()
    broken.CopyFrom(graph("vgg"))
    broken.graph.node[0].op_type = "Erfc"
    with pytest.raises(ExportError, match=r"^the exported model is no .*Erfc.*$"):
        checked(file(broken), IMAGES, said("vgg"))


@pytest.mark.parametrize(
    ("changed", "harmed", "kept"),
    [(0, 0, True), (20, 0, True), (21, 0, False), (4, 4, True), (5, 5, False)],
)
def test_a_version_is_kept_if_98_of_100_agree_and_less_than_half_a_point_is_lost(
    changed, harmed, kept
):
    """Of 1,000 answers `changed` differ, of which `harmed` were right before."""
    labels = np.zeros(1000, int)
    reference = np.tile([0.6, 0.3, 0.1], (1000, 1))
    # These are wrong before and after.
    reference[harmed:changed] = [0.3, 0.6, 0.1]
    candidate = reference.copy()
    candidate[:harmed] = [0.3, 0.6, 0.1]
    candidate[harmed:changed] = [0.1, 0.3, 0.6]
    found = verdict(labels, reference, candidate)
    expected = {"agreement": 1 - changed / 1000, "accuracy_loss": harmed / 1000, "kept": kept}
    assert found == expected
    json.dumps(found)
