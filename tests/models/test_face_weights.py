"""The weights `faces` are read, unfolded without a change of the function, and refused in words."""

import hashlib
import io
import json
import urllib.error
import urllib.request
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import drawn_images

from mien import models
from mien.cli import main
from mien.errors import MienError, ModelError, ParamError
from mien.models import face_weights, registry, weights

NAMES = ["conv1"] + [f"conv_{kind}_{block}" for block in range(1, 14) for kind in ("dw", "pw")]
WIDTHS = [32, 64, 128, 128, 256, 256, *[512] * 6, 1024, 1024]
# The blocks whose depthwise convolution halves the picture.
HALVING = (2, 4, 6, 12)
SPEC = {
    "arch": "mobilenet",
    "classes": ["happy", "neutral", "sad", "surprise"],
    "image_size": 48,
    "side": 64,
    "weights": "faces",
}


def made_arrays() -> dict[str, np.ndarray]:
    """Return random weights named and shaped as in the graph, which keep the values in range."""
    rng = np.random.default_rng(5)
    found = {"age_pred/bias": rng.normal(size=100).astype(np.float32)}
    inputs = 3
    for name in NAMES:
        block = int(name.rsplit("_", 1)[1]) if "_" in name else 0
        outputs = inputs if "dw" in name else WIDTHS[block]
        side = 1 if "pw" in name else 3
        shape = (3, 3, inputs, 1) if "dw" in name else (side, side, inputs, outputs)
        fan = 9 if "dw" in name else side**2 * inputs
        # The first layer sees values of a hundred.
        kernel = rng.normal(0, np.sqrt(2 / fan) / (100 if name == "conv1" else 1), shape)
        found[f"{name}_bn/batchnorm_1/sub"] = rng.normal(0.3, 0.3, outputs).astype(np.float32)
        if "dw" in name:
            found[f"{name}/depthwise_kernel"] = kernel.astype(np.float32)
            scale = rng.uniform(0.5, 1.5, outputs).astype(np.float32)
            found[f"{name}_bn/batchnorm_1/mul"] = scale
        else:
            found[f"{name}/convolution/merged_input"] = kernel.astype(np.float32)
        inputs = outputs
    found["global_pooling/Mean/reduction_indices"] = np.array([1, 2], np.int32)
    return found


ARRAYS = made_arrays()


def written(folder: Path, arrays: dict[str, np.ndarray] = ARRAYS) -> Path:
    """Write the arrays as TensorFlow.js does, in two files of bytes; return the graph's path."""
    folder.mkdir(parents=True, exist_ok=True)
    data = b"".join(array.tobytes() for array in arrays.values())
    listed = [
        {"name": name, "shape": list(array.shape), "dtype": str(array.dtype)}
        for name, array in arrays.items()
    ]
    (folder / face_weights.BLOB).write_bytes(data)
    manifest = [{"paths": [face_weights.BLOB], "weights": listed}]
    graph = folder / face_weights.GRAPH
    graph.write_text(json.dumps({"format": "graph-model", "weightsManifest": manifest}))
    return graph


@pytest.fixture(scope="module")
def placed() -> keras.Model:
    """Return a net with the made weights and the statistics of IMAGES."""
    model = with_weights()
    face_weights.restandardise(model, IMAGES)
    return model


def with_weights() -> keras.Model:
    model = models.build(SPEC | {"weights": "none"}, seed=1)
    start = weights.Pretrained("", face_weights.layers(ARRAYS), merged=True)
    weights.place(start, model)
    return model


IMAGES = drawn_images(40)[0]


def by_the_graph(images: np.ndarray) -> np.ndarray:
    """Return the graph's features of images, (N, S, S, 3), by TensorFlow's operations alone."""
    import tensorflow as tf

    x = tf.constant(images - np.array([103.939, 116.779, 123.68], np.float32))
    for name in NAMES:
        block = int(name.rsplit("_", 1)[1]) if "_" in name else 0
        if "dw" in name:
            step = 2 if block in HALVING else 1
            kernel = ARRAYS[f"{name}/depthwise_kernel"]
            x = tf.nn.depthwise_conv2d(x, kernel, [1, step, step, 1], "SAME")
            x = x * ARRAYS[f"{name}_bn/batchnorm_1/mul"]
        else:
            kernel = ARRAYS[f"{name}/convolution/merged_input"]
            x = tf.nn.conv2d(x, kernel, 2 if name == "conv1" else 1, "SAME")
        x = tf.nn.relu6(x + ARRAYS[f"{name}_bn/batchnorm_1/sub"])
    return tf.reduce_mean(x, (1, 2)).numpy()


def features(model: keras.Model, images: np.ndarray, training: bool = False) -> np.ndarray:
    below = keras.Model(model.input, model.layers[-1].input)
    # Dropout is no part of the features: rate 0 in training.
    for layer in below.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    return np.asarray(below(images.astype(np.float32), training=training))


def test_the_net_answers_as_the_graph_before_and_after_it_gets_statistics(placed):
    grey = keras.ops.image.resize(IMAGES.astype(np.float32)[..., None], (64, 64))
    expected = by_the_graph(np.repeat(np.asarray(grey), 3, axis=3))
    assert np.ptp(expected) > 1
    assert features(with_weights(), IMAGES) == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert features(placed, IMAGES) == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_batch_normalisation_has_the_statistics_of_the_faces(placed):
    backbone = placed.get_layer("backbone")
    prepared = keras.Model(placed.input, placed.get_layer("preprocessing").output)
    seen = prepared.predict(IMAGES.astype(np.float32), verbose=0)
    for name in ("conv1_bn", "conv_dw_7_bn", "conv_pw_13_bn"):
        layer = backbone.get_layer(name)
        inputs = keras.Model(backbone.inputs, layer.input).predict(seen, verbose=0)
        mean, variance = layer.get_weights()[2:]
        values = inputs.reshape(-1, inputs.shape[-1]).astype(np.float64)
        assert mean == pytest.approx(values.mean(0), rel=1e-3, abs=1e-4)
        assert variance == pytest.approx(values.var(0), rel=1e-3, abs=1e-5)


def test_training_begins_with_the_function_of_the_graph_and_would_not_without(placed):
    # In training mode each layer is normalised by the batch: all faces that were counted.
    settled = features(placed, IMAGES)
    far = np.abs(features(with_weights(), IMAGES, training=True) - settled).mean()
    near = np.abs(features(placed, IMAGES, training=True) - settled).mean()
    assert near < 1e-4
    assert far > 0.01


def test_arrays_are_read_back_as_they_were_written(tmp_path):
    found = face_weights.read(written(tmp_path))
    assert list(found) == list(ARRAYS)
    assert all(np.array_equal(found[name], array) for name, array in ARRAYS.items())


def test_bytes_that_are_too_few_or_too_many_are_told(tmp_path):
    graph = written(tmp_path)
    blob = tmp_path / face_weights.BLOB
    whole = blob.read_bytes()
    blob.write_bytes(whole[:-4])
    with pytest.raises(ModelError, match="reduction_indices is not 2 whole int32 values"):
        face_weights.read(graph)
    blob.write_bytes(whole + b"more")
    with pytest.raises(ModelError, match=rf"expected {len(whole)} bytes .* got {len(whole) + 4}"):
        face_weights.read(graph)


def test_the_graph_of_another_net_is_told():
    other = {name: array for name, array in ARRAYS.items() if "conv_dw_9" not in name}
    with pytest.raises(ModelError, match="MobileNet 1, got one without 'conv_dw_9_bn/batch"):
        face_weights.layers(other)


@pytest.fixture
def files(tmp_path, monkeypatch) -> Path:
    """Return a folder of made files whose hashes are the expected ones."""
    written(tmp_path / "files")
    hashes = {
        name: hashlib.sha256((tmp_path / "files" / name).read_bytes()).hexdigest()
        for name in face_weights.SHA256
    }
    monkeypatch.setattr(face_weights, "SHA256", hashes)
    return tmp_path / "files"


@pytest.mark.parametrize("given", [".", face_weights.GRAPH])
def test_files_are_copied_from_a_folder_or_from_the_graph_s_path(given, files, tmp_path):
    face_weights.fetch(tmp_path / "kept", files / given)
    start = weights.load(SPEC, tmp_path / "kept")
    assert start.sha256 == face_weights.SHA256[face_weights.BLOB]
    assert start.merged
    assert "VGGFace2" in start.source
    assert "research only" in start.licence
    assert np.array_equal(start.layers["conv1"][0], ARRAYS["conv1/convolution/merged_input"])
    assert len(list((tmp_path / "kept").iterdir())) == 2


def test_files_are_downloaded_and_others_are_not_kept(files, tmp_path, monkeypatch):
    asked = []

    def answer(url, timeout):
        asked.append(url)
        return io.BytesIO((files / url.rpartition("/")[2]).read_bytes())

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    face_weights.fetch(tmp_path / "kept")
    assert [url.rpartition("/")[0] for url in asked] == [face_weights.URL] * 2
    assert face_weights.kept(tmp_path / "kept").is_file()
    blob = files / face_weights.BLOB
    blob.write_bytes(b"something else")
    got = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(ModelError, match=rf"expected sha256 [0-9a-f]+, got {got}; get that"):
        face_weights.fetch(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_without_a_network_one_line_says_what_to_get_and_where_to_put_it(tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise urllib.error.URLError(OSError(-2, "Name or service not known"))

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    with pytest.raises(ModelError) as caught:
        face_weights.fetch(tmp_path)
    said = str(caught.value)
    assert "\n" not in said
    for part in ("Name or service not known", *face_weights.SHA256, "mien weights faces FOLDER"):
        assert part in said


def test_a_folder_without_the_files_is_one_line(tmp_path):
    with pytest.raises(ModelError, match=rf"{tmp_path}/{face_weights.GRAPH}: No such file"):
        face_weights.fetch(tmp_path / "kept", tmp_path)


def test_weights_that_are_not_there_or_were_changed_are_one_line(files, tmp_path):
    with pytest.raises(ModelError, match=r"faces are not there, .* run `mien weights faces`"):
        weights.load(SPEC, tmp_path / "kept")
    face_weights.fetch(tmp_path / "kept", files)
    with (tmp_path / "kept" / face_weights.BLOB).open("ab") as file:
        file.write(b"more")
    with pytest.raises(ModelError, match=r"is not the file of the .*: expected sha256"):
        weights.load(SPEC, tmp_path / "kept")


@pytest.mark.parametrize(
    ("arch", "given", "said"),
    [
        ("vgg16", "faces", "faces are weights of mobilenet, got model.arch vgg16"),
        ("mobilenet", "imagenet", "got imagenet; for ImageNet take mobilenet_v2"),
        ("mobilenet", "/nowhere/at all.h5", "there is no file or folder /nowhere/at all.h5"),
        (
            "mobilenet",
            "fer7-small",
            "fer7-small comes with this version without weights to start",
        ),
    ],
)
def test_a_start_that_does_not_fit_the_net_is_one_line(arch, given, said, tmp_path):
    with pytest.raises(MienError) as caught:
        weights.load(SPEC | {"arch": arch, "weights": given}, tmp_path)
    assert said in str(caught.value)
    assert isinstance(caught.value, ParamError)


def test_trained_weights_see_larger_faces_unless_told_otherwise():
    spec = {name: value for name, value in SPEC.items() if name != "side"}
    assert registry.settled(spec)["side"] == 96
    assert registry.settled(spec | {"image_size": 128})["side"] == 128
    assert registry.settled(spec | {"side": 64})["side"] == 64
    assert registry.settled(spec | {"weights": "none"}).get("side") is None
    model = models.build(registry.settled(spec))
    assert model.get_layer("backbone").input_shape[1:3] == (96, 96)
    assert model.input_shape[1:] == (48, 48)


def test_the_net_without_weights_names_the_start_that_it_has(capsys):
    assert weights.load(SPEC | {"weights": "none"}) is None
    assert "set model.weights to faces\n" in capsys.readouterr().err


def test_the_command_puts_the_files_where_a_training_looks(files, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"mien: no params\.yaml in .*; go to the project's root"):
        main(["weights", "faces", str(files)])
    Path("params.yaml").touch()
    main(["weights", "faces", str(files)])
    assert "research only" in capsys.readouterr().out
    assert weights.load(SPEC).sha256 == face_weights.SHA256[face_weights.BLOB]
    with pytest.raises(SystemExit, match=r"mien: .*invalid choice: 'hands' .* see `mien weights"):
        main(["weights", "hands"])
