"""Export: ONNX Runtime answers what Keras answers, and equal nets give equal files."""

import functools
import hashlib
import json
import os
import subprocess
import sys

import keras
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from conftest import CLASSES, drawn_images
from onnx import helper, numpy_helper

from mien import export, metrics, models
from mien.errors import ExportError
from mien.export.canonical import canonical

SCRATCH = [name for name, each in models.ARCHITECTURES.items() if each.module != "transfer"]
IMAGES, _ = drawn_images(32)
ALONE = {"method": "mean", "members": ["net"], "temperature": 1.0}


@functools.cache
def net(arch: str, seed: int = 1, **options: object) -> keras.Model:
    """Return a net that gives different faces different answers, as a trained one does."""
    narrow = {} if models.transfers(arch) else {"width": 0.25}
    spec = {"arch": arch, "classes": list(CLASSES), "image_size": 48, **narrow, **options}
    model = models.build(spec, seed)
    rng = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        if len(weight.shape) == 1:
            weight.assign(weight + rng.uniform(-0.1, 0.1, weight.shape))
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    # Leaves the statistics of these faces behind.
    model(IMAGES.astype(np.float32), training=True)
    return model


@functools.cache
def said(arch: str, seed: int = 1, **options: object) -> np.ndarray:
    return np.asarray(net(arch, seed, **options)(IMAGES.astype(np.float32)))


@functools.cache
def graph(arch: str, seed: int = 1, **options: object) -> onnx.ModelProto:
    return export.converted(net(arch, seed, **options))


def file(made: onnx.ModelProto) -> bytes:
    return export.serialised(made, CLASSES, 48, "compact")


@pytest.mark.parametrize("arch", [*SCRATCH, "mobilenet_v2"])
def test_onnx_runtime_answers_as_keras_does(arch):
    # Different faces get different answers, or the next line would mean little.
    assert np.ptp(said(arch), axis=0).max() > 0.02
    assert export.checked(file(graph(arch)), IMAGES, said(arch)) < 1e-5


def test_a_net_is_exported_whatever_was_built_since():
    """Keras counts names up, and begins anew for each net that is built."""
    spec = {"arch": "simple_cnn", "width": 0.1, "classes": CLASSES, "image_size": 48}
    for arch in ("compact", "simple_cnn", "two_conv"):
        first = models.build({**spec, "arch": "compact"}, seed=1)
        models.build({**spec, "arch": arch}, seed=1)
        expected = np.asarray(first(IMAGES.astype(np.float32)))
        assert export.checked(file(export.converted(first)), IMAGES, expected) < 1e-5


@pytest.mark.parametrize("attention", ["cbam", "self"])
def test_attention_is_exported_too(attention):
    options = {"arch": "resnet", "attention": attention, "depth": 1}
    assert export.checked(file(graph(**options)), IMAGES, said(**options)) < 1e-5


@pytest.mark.parametrize("kind", ["resized", "padded"])
def test_what_onnx_runtime_gets_wrong_is_mended(kind):
    x = inputs = keras.Input((48, 48), dtype="float32")
    x = keras.layers.Rescaling(1 / 255, offset=-2)(keras.layers.Reshape((48, 48, 1))(x))
    x = keras.layers.Conv2D(3, 3, bias_initializer=keras.initializers.Constant(-9.0))(x)
    if kind == "resized":
        x = keras.ops.image.resize(x, (71, 71))
    else:
        x = keras.layers.MaxPooling2D(3, 2)(keras.layers.ZeroPadding2D(1)(x))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(3, 3)(x))
    model = keras.Model(inputs, keras.layers.Dense(4, "softmax")(x))
    expected = np.asarray(model(IMAGES.astype(np.float32)))
    assert export.checked(file(export.converted(model)), IMAGES, expected) < 1e-5


def test_the_file_says_what_to_feed_it():
    session = ort.InferenceSession(file(graph("compact")))
    (image,) = session.get_inputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(uint8)", ["N", 48, 48])
    probabilities = session.get_outputs()[0]
    assert (probabilities.name, probabilities.type) == ("probabilities", "tensor(float)")
    assert probabilities.shape == ["N", 4]
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["classes"]) == list(CLASSES)
    assert (told["image_size"], told["arch"]) == ("48", "compact")
    for count in (1, 5):
        assert session.run(None, {"image": IMAGES[:count]})[0].shape == (count, 4)


@pytest.mark.parametrize("arch", ["compact", "mini_xception"])
def test_the_mean_of_a_class_map_is_its_logit(arch):
    session = ort.InferenceSession(file(graph(arch)))
    found, maps = session.run(["probabilities", "maps"], {"image": IMAGES})
    assert maps.shape[:2] == (32, 4)
    assert maps.std(axis=(2, 3)).min() > 0
    odds = np.exp(maps.mean(axis=(2, 3)))
    assert odds / odds.sum(axis=1, keepdims=True) == pytest.approx(found, abs=1e-5)


def test_a_class_map_is_what_the_last_layer_makes_of_each_place():
    model = net("compact")
    pool, head = model.layers[-3], model.layers[-1]
    features = keras.Model(model.input, pool.input)(IMAGES.astype(np.float32))
    kernel, bias = head.get_weights()
    expected = np.einsum("nhwk,kc->nchw", features, kernel) + bias[:, None, None]
    (found,) = ort.InferenceSession(file(graph("compact"))).run(["maps"], {"image": IMAGES})
    assert found == pytest.approx(expected, abs=1e-4)


COMBINATIONS = {
    "mean": {},
    "weighted": {"weights": [0.7, 0.3]},
    "vote": {},
    "stacking": {
        "coefficients": np.random.default_rng(0).normal(size=(4, 8)).tolist(),
        "intercepts": [0.1, -0.2, 0.0, 0.3],
    },
}


@pytest.mark.parametrize("method", COMBINATIONS)
def test_an_ensemble_is_one_graph(method):
    archs = ["vgg", "leaky_cnn"]
    combination = {"method": method, "members": archs, "temperature": 0.6, **COMBINATIONS[method]}
    made = export.combined(combination, {arch: graph(arch) for arch in archs})
    expected = ensembles.combine(combination, {arch: said(arch) for arch in archs})
    assert export.checked(file(made), IMAGES, expected) < 1e-5
    assert [output.name for output in made.graph.output] == ["probabilities"]
    # What both do with the faces is done once.
    assert sum(node.op_type == "Cast" for node in made.graph.node if "image" in node.input) == 1


def test_the_temperature_calibrates_a_single_model():
    cold = {"method": "mean", "members": ["net"], "temperature": 0.5}
    made = export.combined(cold, {"net": graph("compact")})
    expected = ensembles.combine(cold, {"net": said("compact")})
    assert np.abs(expected - said("compact")).max() > 0.01
    assert export.checked(file(made), IMAGES, expected) < 1e-5
    assert [output.name for output in made.graph.output] == ["probabilities", "maps"]


SCRIPT = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
import test_export
print(*test_export.digests())
"""


def digests() -> list[str]:
    """Return the hash of every version of a net."""
    made = export.combined(ALONE, {"net": graph("compact")})
    versions = [made, export.half(made), export.integer(made, IMAGES)]
    return [hashlib.sha256(file(version)).hexdigest() for version in versions]


def test_another_process_writes_the_same_bytes():
    here = os.path.dirname(__file__)
    command = [sys.executable, "-c", SCRIPT, here]
    # Sets and dicts of the converter are ordered by hashes of names.
    done = subprocess.run(
        command, env=os.environ | {"PYTHONHASHSEED": "7"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-3:] == digests()


def test_half_precision_halves_the_file_and_keeps_the_answers():
    made = export.half(graph("vgg"))
    assert len(file(made)) < 0.52 * len(file(graph("vgg")))
    found = export.probabilities(file(made), IMAGES)
    assert 0 < np.abs(found - said("vgg")).max() < 1e-2
    onnx.checker.check_model(made, full_check=True)
    session = ort.InferenceSession(file(made))
    assert (session.get_inputs()[0].type, session.get_outputs()[0].type) == (
        "tensor(uint8)",
        "tensor(float)",
    )


def test_integers_quarter_the_file_and_keep_the_answers(capfd):
    # More than one batch, the last one smaller.
    made = export.integer(graph("vgg"), np.concatenate([IMAGES, IMAGES, IMAGES[:6]]))
    assert capfd.readouterr().out == ""
    assert len(file(made)) < 0.3 * len(file(graph("vgg")))
    found = export.probabilities(file(made), IMAGES)
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


def test_a_file_that_answers_otherwise_is_refused():
    other = np.roll(said("vgg"), 1, axis=1)
    with pytest.raises(ExportError, match=r"within 0\.0001, got a difference of 0\.\d"):
        export.checked(file(graph("vgg")), IMAGES, other)
    with pytest.raises(ExportError, match="got a difference of nan"):
        export.checked(file(graph("vgg")), IMAGES, other * np.nan)


def test_a_graph_with_an_unknown_operation_is_refused_in_one_line():
    broken = onnx.ModelProto()
    broken.CopyFrom(graph("vgg"))
    broken.graph.node[0].op_type = "Erfc"
    with pytest.raises(ExportError, match=r"^the exported model is no .*Erfc.*$"):
        export.checked(file(broken), IMAGES, said("vgg"))


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
    found = export.verdict(labels, reference, candidate)
    expected = {"agreement": 1 - changed / 1000, "accuracy_loss": harmed / 1000, "kept": kept}
    assert found == expected
    json.dumps(found)


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


def test_the_card_tells_what_made_the_model():
    def record(arch: str, rate: float) -> dict[str, object]:
        return {
            "spec": {"arch": arch, "classes": ["happy", "sad"], "image_size": 48},
            "params": {"train": {"learning_rate": rate}},
            "data": {"data/training": "11"},
            "weights_sha256": arch * 2,
        }

    records = {"train": record("vgg", 0.1), "tune_compact": record("compact", 0.2)}
    costs = {"train": (10, 100), "tune_compact": (3, 30)}
    combination = {"method": "mean", "members": ["train", "tune_compact"], "temperature": 1.2}
    probabilities = np.array([[0.8, 0.2], [0.3, 0.7]])
    score = metrics.score(np.array([0, 1]), probabilities, ["happy", "sad"], 0)
    card = export.card(records, costs, combination, validation=score, test=score)
    assert (card["arch"], card["parameters"], card["multiply_adds"]) == ("ensemble", 13, 130)
    assert card["members"]["train"]["weights_sha256"] == "vggvgg"
    assert (card["temperature"], card["data"]) == (1.2, {"data/training": "11"})
    assert card["metrics"]["validation"]["ece"] == score["ece"]
    assert card["metrics"]["test"]["accuracy_low"] == score["accuracy_low"]
    assert "ece" not in card["metrics"]["test"]

    def of(name: str) -> dict[str, object]:
        alone = combination | {"members": [name]}
        return export.card(records, costs, alone, validation=score, test=score)

    assert (of("train")["arch"], of("train")["parameters"]) == ("vgg", 10)
    assert of("train")["params_sha256"] != of("tune_compact")["params_sha256"]
