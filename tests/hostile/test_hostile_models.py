"""Model files made to do harm: refused in one line, no code of theirs runs, memory is bounded."""

import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASSES, is_one_line, told_by_child
from drawn_photos import model
from hypothesis import given, settings
from hypothesis import strategies as st

from mien import faces
from mien.errors import ModelError, ParamError
from mien.inference import models
from mien.models import weights

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
TensorProto, helper = onnx.TensorProto, onnx.helper
numpy_helper = onnx.numpy_helper

pytestmark = pytest.mark.usefixtures("walled")

SIZE, FLAT = 48, 48 * 48
CAST = helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT)
FLATTEN = helper.make_node("Flatten", ["real"], ["flat"], axis=1)
LINEAR = helper.make_node("MatMul", ["flat", "weights"], ["logits"])
SOFTMAX = helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1)
WEIGHTS = numpy_helper.from_array(np.zeros((FLAT, 4), np.float32), "weights")
SIDES = numpy_helper.from_array(np.array([60_000, 60_000], np.int64), "sides")
TOLD = {"classes": json.dumps(CLASSES), "image_size": str(SIZE)}


def made(nodes, weights=(WEIGHTS,), told=TOLD, kind=TensorProto.FLOAT, takes=None) -> bytes:
    graph = helper.make_graph(
        nodes,
        "hostile",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, takes or ["N", SIZE, SIZE])],
        [helper.make_tensor_value_info("probabilities", kind, None)],
        list(weights),
    )
    domains = [helper.make_opsetid(name, version) for name, version in (("", 17), ("evil", 1))]
    whole = helper.make_model(graph, opset_imports=domains, ir_version=8)
    for key, value in told.items():
        entry = whole.metadata_props.add()
        entry.key, entry.value = key, value
    return whole.SerializeToString()


def linear(**changes) -> bytes:
    return made([CAST, FLATTEN, LINEAR, SOFTMAX], told=TOLD | changes)


def tensor(shape: tuple[int, ...], **fields: bytes) -> bytes:
    """Return a model whose weights are declared with `shape` and hold four bytes."""
    weights = TensorProto(name="weights", data_type=1, dims=shape, raw_data=b"1234")
    return made([CAST, FLATTEN, LINEAR, SOFTMAX], [weights])


def elsewhere(location: str, **more: str) -> bytes:
    """Return a model whose weights are said to lie in another file."""
    weights = TensorProto(name="weights", data_type=1, dims=(FLAT, 4), data_location=1)
    for key, value in {"location": location, **more}.items():
        entry = weights.external_data.add()
        entry.key, entry.value = key, value
    return made([CAST, FLATTEN, LINEAR, SOFTMAX], [weights])


BIG = [
    helper.make_node("ReduceSum", ["flat"], ["one"], keepdims=0),
    helper.make_node("Expand", ["one", "sides"], ["big"]),
    helper.make_node("ReduceSum", ["big"], ["sum"], keepdims=0),
    helper.make_node("Add", ["logits", "sum"], ["more"]),
    helper.make_node("Softmax", ["more"], ["probabilities"], axis=1),
]
FILLED = [helper.make_node("ConstantOfShape", ["sides"], ["big"]), *BIG[2:]]
PICKLE = pickle.dumps(Path)  # Any that loads; Canary below is one that acts.
FILES = {
    "nothing": b"",
    "a page": b"<html>",
    "zeros": bytes(10_000),
    "a pickle": PICKLE,
    "a zip": b"PK\x05\x06" + bytes(18),
    "half a model": linear()[:300],
    "a model without a graph": onnx.ModelProto(ir_version=8).SerializeToString(),
    "a graph of a version to come": linear().replace(b"\x08\x08", b"\x08\x7f", 1),
    "an operator of its own": made(
        [CAST, FLATTEN, helper.make_node("Run", ["flat"], ["probabilities"], domain="evil")]
    ),
    "an operator that does not exist": made(
        [CAST, FLATTEN, helper.make_node("System", ["flat"], ["probabilities"])]
    ),
    "operators in a circle": made(
        [helper.make_node("Add", ["probabilities", "logits"], ["logits"]), SOFTMAX]
    ),
    "weights above": elsewhere("../secret"),
    "weights far above": elsewhere("../../../../../../etc/passwd"),
    "weights at the root": elsewhere("/etc/passwd"),
    "weights beside": elsewhere("weights.bin"),
    "weights in a device": elsewhere("/dev/zero"),
    "weights beyond an end": elsewhere("weights.bin", offset=str(2**62), length=str(2**62)),
    "weights of an address": elsewhere("http://127.0.0.1:9/weights.bin"),
    "weights of 4 exabytes": tensor((2**30, 2**30)),
    "weights of a number that overflows": tensor((2**62, 2**62)),
    "weights of minus four": tensor((FLAT, -4)),
    "no metadata": linear(classes="", image_size=""),
    "classes nested 200,000 deep": linear(classes="[" * 200_000),
    "classes that are a text": linear(classes='"abcd"'),
    "classes that are a mapping": linear(classes='{"a": 1, "b": 2, "c": 3, "d": 4}'),
    "classes that are nothing": linear(classes="null"),
    "classes that are numbers": linear(classes="[1, 2, 3, 4]"),
    "classes that are lists": linear(classes='[["a"], ["b"], ["c"], ["d"]]'),
    "three classes for four": linear(classes='["a", "b", "c"]'),
    "a class twice": linear(classes='["a", "a", "b", "c"]'),
    "an empty class": linear(classes='["", "b", "c", "d"]'),
    "a class with a line break": linear(classes='["a\\nb", "b", "c", "d"]'),
    "a class with an escape": linear(classes='["\\u001b[2J", "b", "c", "d"]'),
    "a class of half a letter": linear(classes='["\\ud800", "b", "c", "d"]'),
    "a class of 101 letters": linear(classes=json.dumps(["a" * 101, "b", "c", "d"])),
    "a million classes": linear(classes=json.dumps([str(one) for one in range(1_000_000)])),
    **{
        f"a side of {side[:12]}": linear(image_size=side)
        for side in (
            "-1",
            "0",
            "15",
            "47",
            "513",
            "1000000000",
            "9" * 30,
            "4" * 5000,
            "nan",
            "48.5",
            "",
        )
    },
    "no probabilities": made(
        [CAST, FLATTEN, helper.make_node("MatMul", ["flat", "weights"], ["probabilities"])]
    ),
    "no numbers": made(
        [CAST, FLATTEN, LINEAR, helper.make_node("Div", ["logits", "logits"], ["probabilities"])]
    ),
    "words": made([CAST, helper.make_node("Cast", ["real"], ["probabilities"], to=8)], [], kind=8),
    "one number": made(
        [CAST, helper.make_node("ReduceSum", ["real"], ["probabilities"], keepdims=0)], []
    ),
    "a face of four sides": made([CAST, FLATTEN, LINEAR, SOFTMAX], takes=["N", 1, SIZE, SIZE]),
    "a face of another side": made([CAST, FLATTEN, LINEAR, SOFTMAX], takes=["N", 24, 24]),
    "14 GB made while it runs": made([CAST, FLATTEN, LINEAR, *BIG], [WEIGHTS, SIDES]),
    "14 GB made at the start": made([CAST, FLATTEN, LINEAR, *FILLED], [WEIGHTS, SIDES]),
}
CHILD = """
import json, resource, sys
from pathlib import Path
from mien.errors import ModelError
from mien.inference import models

used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))
told = {}
for path in sorted(Path("models").iterdir()):
    before = used()
    try:
        models.load(str(path))
        told[path.name] = "loaded", used() - before
    except ModelError as error:
        told[path.name] = str(error), used() - before
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[str, tuple[str, float]]:
    """What one process with 6 GB of memory says of each file, and the megabytes it took."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "models").mkdir()
    (folder / "weights.bin").write_bytes(bytes(FLAT * 16))
    for number, data in enumerate([*FILES.values(), linear()]):
        (folder / f"models/{number:03}.onnx").write_bytes(data)
    told, stderr = told_by_child(CHILD, folder)
    assert stderr == ""
    return dict(zip([*FILES, "sound"], told.values(), strict=True))


@pytest.mark.parametrize("kind", FILES)
def test_a_hostile_model_is_one_line(answers, kind):
    line, mebibytes = answers[kind]
    assert line != "loaded"
    assert line.startswith("models/")
    assert is_one_line(ModelError(line)) == line
    assert mebibytes < 500, mebibytes
    assert answers["sound"][0] == "loaded"


def test_a_changed_model_is_loaded_or_refused():
    whole = model()
    place = st.integers(0, 300) | st.integers(-300, -1)

    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(st.dictionaries(place, st.integers(0, 255), min_size=1, max_size=6))
    def check(changes):
        data = bytearray(whole)
        for at, value in changes.items():
            data[at] = value
        Path("a.onnx").write_bytes(data)
        try:
            assert models.load("a.onnx").size == SIZE
        except ModelError as error:
            is_one_line(error)

    check()


def test_a_model_of_ten_gigabytes_is_not_read():
    with Path("a.onnx").open("wb") as file:
        file.truncate(10 * 2**30)
    with pytest.raises(ModelError, match=r"a\.onnx: larger than an ONNX file"):
        models.load("a.onnx")


class Canary:
    """Whoever loads its pickle leaves a file."""

    def __reduce__(self):
        return (exec, ("open('sung', 'w').close()",))


def test_a_pickle_is_loaded_nowhere(walled):
    """The same bytes wherever a file of ours is read; none of the readers may run them."""
    song = pickle.dumps(Canary())
    array = np.array([Canary()], object)
    Path("faces").mkdir()
    np.save("faces/images.npy", array, allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        faces.load(Path("faces"))
    Path("faces/images.npy").write_bytes(song)
    with pytest.raises(ValueError, match=r"allow_pickle|pickle"):
        faces.load(Path("faces"))
    Path("a.onnx").write_bytes(song)
    with pytest.raises(ModelError):
        models.load("a.onnx")
    assert not Path("sung").exists()
    pickle.loads(song)
    assert Path("sung").exists()


def hdf5(kind: str) -> Path:
    import h5py

    path = Path("a.weights.h5")
    with h5py.File(path, "w") as file:
        match kind:
            case "a link to another file":
                file["layers"] = h5py.ExternalLink("/etc/passwd", "/")
            case "a link in a circle":
                file["layers"] = h5py.SoftLink("/layers")
            case "weights in another file":
                file.create_group("layers").create_dataset(
                    "x", (4,), "u1", external=[("/etc/passwd", 0, 4)]
                )
            case "weights of 4 exabytes":
                file.create_group("layers").create_dataset(
                    "x", (2**31, 2**31), "u1", chunks=(1, 64)
                )
            case "nothing":
                pass
    return path


def keras_with_code() -> Path:
    """Return a whole Keras model whose layer holds a function's code."""
    code = {"class_name": "__lambda__", "config": {"code": "4wAAAAA=", "defaults": None}}
    layer = {"module": "keras.layers", "class_name": "Lambda", "config": {"function": code}}
    with zipfile.ZipFile("a.keras", "w") as file:
        file.writestr(
            "config.json", json.dumps({"class_name": "Sequential", "config": {"layers": [layer]}})
        )
        file.writestr("metadata.json", "{}")
        file.writestr("model.weights.h5", hdf5("nothing").read_bytes())
    return Path("a.keras")


def pickled(name: str) -> Path:
    Path(name).write_bytes(pickle.dumps(Canary()))
    return Path(name)


WEIGHT_FILES = {
    **{
        kind: lambda kind=kind: hdf5(kind)
        for kind in (
            "nothing",
            "a link to another file",
            "a link in a circle",
            "weights in another file",
            "weights of 4 exabytes",
        )
    },
    "a model with code": keras_with_code,
    "a pickle": lambda: pickled("a.weights.h5"),
    "a pickle as a model": lambda: pickled("a.keras"),
    "a pickle as an old model": lambda: pickled("a.h5"),
}


@pytest.mark.parametrize("kind", WEIGHT_FILES)
def test_hostile_weights_are_one_line(kind):
    path = WEIGHT_FILES[kind]()
    with pytest.raises(ParamError, match=r"^model\.weights: ") as caught:
        weights.load({"arch": "vgg16", "weights": str(path)})
    is_one_line(caught.value)
    assert not Path("sung").exists()
