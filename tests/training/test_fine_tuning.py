"""A net that starts from a trained model learns head first, then all, resumable to the byte."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from conftest import CLASSES, SRC, made_faces

from mien import models, params
from mien.errors import ParamError
from mien.models import registry, weights
from mien.training import recipe, schedule
from mien.training.averaging import Average
from mien.training.fitting import fit
from mien.training.freezing import MOMENTUM, head_epochs, slow_down, thaw

pytestmark = pytest.mark.usefixtures("_eagerly")

HERE = Path(__file__).parent
PARAMS = params.load(HERE.parents[1] / "params.yaml")
TRAIN = PARAMS.train.model_copy(
    update={"epochs": 3, "batch_size": 16, "ema": 0.0, "learning_rate": 0.01, "trunk_rate": 0.5}
)
OTHERS = ["afraid", "angry", "calm"]


def start(folder: Path, classes: list[str]) -> Path:
    """Write a model with random weights that are no first weights, as a stage does."""
    spec = {"arch": "compact", "width": 0.25, "classes": classes, "image_size": 48}
    model = models.build(spec, seed=7)
    folder.mkdir()
    model.save_weights(folder / "model.weights.h5")
    digest = hashlib.sha256((folder / "model.weights.h5").read_bytes()).hexdigest()
    record = {"name": "train", "spec": spec, "weights_sha256": digest}
    record["pretrained"] = {"weights": "faces", "source": "elsewhere", "licence": "research only"}
    (folder / "record.json").write_text(json.dumps(record))
    return folder


def spec_from(folder: Path) -> dict:
    """Return the spec of a net whose params name nothing but the architecture and its start."""
    model = PARAMS.model.model_copy(update={"arch": "compact", "weights": str(folder)})
    return recipe.model_spec(model, made_faces(4))


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Path:
    return start(tmp_path_factory.mktemp("start") / "others", OTHERS)


def trained(folder: Path, begun: Path, **more):
    spec = spec_from(begun)
    return fit(
        spec,
        made_faces(48),
        made_faces(16, seed=9),
        train=TRAIN,
        augment=PARAMS.augment,
        seed=1,
        checkpoints=folder,
        pretrained=weights.load(spec),
        **more,
    )


def digest(model: keras.Model, folder: Path) -> str:
    model.save_weights(folder / "model.weights.h5")
    return hashlib.sha256((folder / "model.weights.h5").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def whole(other, tmp_path_factory):
    """Return history, digest and the weights after each epoch of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    after: list[list[np.ndarray]] = []

    def watch(history):
        with np.load(folder / "checkpoints" / f"{len(history):05d}.npz") as arrays:
            after.append([arrays[name] for name in sorted(arrays.files) if "average" in name])

    result = trained(folder / "checkpoints", other, watch=watch)
    return result.history, digest(result.model, folder), after


def test_the_head_learns_first_and_alone_then_all_with_batch_normalisation(whole, other):
    history, _, after = whole
    begun = registry.load(other)
    model = models.build(spec_from(other))
    names = [weight.path for weight in model.weights]
    first = [weight.numpy() for weight in begun.weights]
    head = f"{model.layers[-1].name}/"
    below = [place for place, name in enumerate(names) if not name.startswith(head)]
    assert len(below) == len(names) - 2
    assert all(np.array_equal(after[0][place], first[place]) for place in below)
    changed = [names[p] for p in below if not np.array_equal(after[1][p], after[0][p])]
    assert changed == [names[place] for place in below]
    # The head at the full rate; then the schedule from its warm-up on, over two epochs.
    rest = TRAIN.model_copy(update={"epochs": 2})
    expected = [0.01] + [schedule.learning_rate(step, 3, [], rest) for step in (2, 5)]
    assert [row["learning_rate"] for row in history] == pytest.approx(expected)


@pytest.mark.parametrize("epochs", [1, 2])
def test_killed_at_the_thaw_or_after_it_ends_in_the_same_bytes(epochs, whole, other, tmp_path):
    class KilledError(Exception):
        pass

    def kill(history):
        if len(history) == epochs:
            raise KilledError

    with pytest.raises(KilledError):
        trained(tmp_path / "checkpoints", other, watch=kill)
    result = trained(tmp_path / "checkpoints", other)
    assert (result.history, digest(result.model, tmp_path)) == whole[:2]


def test_a_model_s_options_are_those_of_its_start_and_its_head_is_made_anew(other, capsys):
    spec = spec_from(other)
    assert spec["width"] == 0.25
    begun = weights.load(spec)
    said = capsys.readouterr().err
    assert said.startswith(f"model.weights: {other} knows afraid, angry, calm; its last layer is")
    assert said.count("\n") == 1
    model = models.build(spec, seed=1)
    head = model.layers[-1].get_weights()
    weights.place(begun, model)
    assert all(map(np.array_equal, model.layers[-1].get_weights(), head))
    kept = registry.load(other)
    for layer, theirs in zip(model.layers[:-1], kept.layers[:-1], strict=True):
        assert all(map(np.array_equal, layer.get_weights(), theirs.get_weights()))
    # What its own start asks for goes with it.
    assert begun.source == "the model train of this pipeline, from elsewhere"
    assert begun.licence == "research only"


def test_a_start_with_the_same_classes_is_taken_whole_and_learns_at_once(tmp_path, capsys):
    folder = start(tmp_path / "same", list(CLASSES))
    begun = weights.load(spec_from(folder))
    assert "anew" not in capsys.readouterr().err
    model = models.build(spec_from(folder), seed=1)
    weights.place(begun, model)
    assert all(map(np.array_equal, model.get_weights(), registry.load(folder).get_weights()))
    history = trained(tmp_path / "checkpoints", folder).history
    whole_run = [schedule.learning_rate(step, 3, [], TRAIN) for step in (2, 5, 8)]
    assert [row["learning_rate"] for row in history] == pytest.approx(whole_run)


def test_a_model_is_loaded_when_its_start_is_gone(other, tmp_path):
    folder = start(tmp_path / "later", list(CLASSES))
    record = json.loads((folder / "record.json").read_text())
    record["spec"] |= {"weights": str(tmp_path / "gone"), "unfreeze": 2}
    (folder / "record.json").write_text(json.dumps(record))
    assert registry.load(folder).count_params() == registry.load(folder).count_params() > 0


@pytest.mark.parametrize("fault", ["another file", "no weights", "another net", "other shape"])
def test_a_folder_that_cannot_be_started_from_is_one_line(fault, tmp_path):
    folder = start(tmp_path / "start", list(CLASSES))
    spec, file = spec_from(folder), folder / "model.weights.h5"
    said = {
        "another file": "is not the file that record.json beside it describes: expected sha256",
        "no weights": "holds no model of this pipeline",
        "another net": "is compact, got model.arch two_conv; set model.arch to compact",
        "other shape": "does not fit: conv2d has",
    }[fault]
    if fault == "another file":
        file.write_bytes(file.read_bytes() + b"more")
    elif fault == "no weights":
        file.unlink()
    elif fault == "another net":
        spec = {"arch": "two_conv", "weights": str(folder), "classes": [], "image_size": 48}
    else:
        spec["width"] = 0.5
    with pytest.raises(ParamError) as caught:
        weights.load(spec)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_head_learns_alone_for_one_epoch_if_all_shall_learn():
    assert [head_epochs(epochs, None) for epochs in (1, 2, 15)] == [0, 1, 1]


def test_all_thaws_and_batch_normalisation_forgets_slowly():
    model = models.build({"arch": "vgg", "width": 0.25, "classes": ["a", "b"], "image_size": 48})
    for layer in model.layers:
        layer.trainable = False
    thaw(model)
    normalising = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert normalising
    assert all(layer.trainable and layer.momentum == MOMENTUM for layer in normalising)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_slowed_weights_move_by_the_factor_and_others_as_before(optimizer):
    moved = []
    for factor in (None, 0.25):
        slow, fast = (keras.Variable(np.full((3, 2), 2.0, np.float32)) for _ in range(2))
        make = {"adamw": keras.optimizers.AdamW, "sgd": keras.optimizers.SGD}[optimizer]
        made = make(0.1, weight_decay=0.5)
        made.build([slow, fast])
        if factor:
            slow_down(made, [slow], factor)
        made.apply([keras.ops.ones((3, 2))] * 2, [slow, fast])
        moved.append([2 - slow.numpy(), 2 - fast.numpy()])
    (slow, fast), (slowed, same) = moved
    assert fast == pytest.approx(same)
    # Of decay and step: the decayed weight takes the step, so the two add up.
    assert slowed == pytest.approx(0.25 * slow, rel=1e-5)
    assert (slow > 0.05).all()


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_a_training_slows_the_trained_weights_whatever_the_precision(precision, other, tmp_path):
    moved = []
    for factor in (1.0, 0.01):
        changes = {"epochs": 1, "precision": precision, "trunk_rate": factor, "warmup_epochs": 0.5}
        spec = spec_from(other)
        begun = weights.load(spec)
        model = fit(
            spec,
            made_faces(48),
            made_faces(16, seed=9),
            train=TRAIN.model_copy(update=changes),
            augment=PARAMS.augment,
            seed=1,
            checkpoints=tmp_path / str(factor),
            pretrained=begun,
        ).model
        kernel = model.get_layer("conv2d_1").get_weights()[0]
        moved.append(np.abs(kernel - begun.layers["conv2d_1"][0]).mean())
    assert moved[0] > 1e-3
    assert moved[1] == pytest.approx(0.01 * moved[0], rel=0.5)


def test_trained_weights_take_their_own_learning_rate_unless_one_is_given():
    spec = {"arch": "mobilenet", "weights": "faces", "unfreeze": None}
    rate = recipe.with_default_rate(PARAMS.train, spec).learning_rate
    assert rate == recipe.FINE_TUNING_RATE
    numbered = recipe.with_default_rate(PARAMS.train, spec | {"unfreeze": 3}).learning_rate
    assert numbered == registry.LEARNING_RATE
    assert recipe.with_default_rate(TRAIN, spec).learning_rate == 0.01


def test_a_student_of_another_architecture_starts_from_random_weights():
    model = PARAMS.model.model_copy(
        update={"arch": "mobilenet", "weights": "faces", "side": 64, "unfreeze": 2}
    )
    student = recipe.student(PARAMS.model_copy(update={"model": model}), "compact").model
    assert (student.weights, student.side, student.unfreeze) == ("none", None, None)
    alike = recipe.student(PARAMS.model_copy(update={"model": model}), "mobilenet").model
    assert (alike.weights, alike.side, alike.unfreeze) == ("faces", 64, 2)


AVERAGED = """
import json
import keras, numpy as np
from mien.training.averaging import Average
inside = [keras.layers.Dense(3), keras.layers.BatchNormalization()]
model = keras.Sequential([keras.Input((4,)), *inside])
start = [array + 1 for array in model.get_weights()]
average, rng = Average(start, model), np.random.default_rng(0)
expected = [array.astype(np.float64) for array in start]
for step, momentum in enumerate((0.1, 0.5, 0.99)):
    new = [rng.normal(size=array.shape).astype(np.float32) for array in start]
    model.set_weights(new)
    average.update(momentum)
    expected = [momentum * old + (1 - momentum) * now for old, now in zip(expected, new)]
far = max(float(np.abs(a - b).max()) for a, b in zip(average.arrays(), expected))
class Watch(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        average.update(0.0)
        seen.append([np.array(array) for array in average.arrays()])
seen = []
model.compile(keras.optimizers.SGD(0.1), "mse")
rows = rng.normal(size=(12, 4)).astype(np.float32)
model.fit(rows, rows[:, :3], batch_size=4, verbose=0, callbacks=[Watch()])
last = max(float(np.abs(a - b).max()) for a, b in zip(seen[-1], model.get_weights()))
moving = all(np.abs(seen[i][0] - seen[i + 1][0]).max() > 1e-4 for i in (0, 1))
print(json.dumps([keras.backend.backend(), far, last, moving]))
"""


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_the_average_is_that_of_the_formula_on_each_backend(backend):
    if not importlib.util.find_spec(backend):
        pytest.skip(f"{backend} is not installed")
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(SRC)}
    done = subprocess.run(
        [sys.executable, "-c", AVERAGED], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    used, far, last, moving = json.loads(done.stdout.splitlines()[-1])
    assert used == backend
    assert far < 1e-6
    # With momentum 0 it is the weights of each step, not those of the epoch's beginning.
    assert moving
    assert last < 1e-6


def test_the_average_goes_on_from_where_it_was_left():
    model = models.build({"arch": "compact", "width": 0.25, "classes": ["a"], "image_size": 48})
    rng = np.random.default_rng(1)
    start = [rng.normal(size=array.shape).astype(np.float32) for array in model.get_weights()]
    undisturbed = Average(start, model)
    for _ in range(2):
        undisturbed.update(0.9)
    first = Average(start, model)
    first.update(0.9)
    second = Average(first.arrays(), model)
    second.update(0.9)
    assert all(map(np.array_equal, second.arrays(), undisturbed.arrays()))


def test_a_shipped_start_is_the_model_with_rounded_kernels_and_tells_no_paths(
    tmp_path, monkeypatch
):
    folder = start(tmp_path / "trained", list(CLASSES))
    model = registry.load(folder)
    record = json.loads((folder / "record.json").read_text())
    record["spec"]["weights"] = str(tmp_path)
    record["params"] = {"model": {"weights": str(tmp_path)}}
    (folder / "record.json").write_text(json.dumps(record))
    monkeypatch.setattr(registry, "SHIPPED", tmp_path / "shipped")
    weights.write_start(folder, "fer9", tmp_path / "shipped/fer9")
    assert str(tmp_path) not in (tmp_path / "shipped/fer9/record.json").read_text()
    found = weights.load(spec_from(Path("fer9")))
    assert found.source == "the model fer9 of this pipeline, from elsewhere"
    for layer in model.layers:
        for whole, small in zip(layer.get_weights(), found.layers.get(layer.name, []), strict=True):
            if whole.ndim == 1:
                assert np.array_equal(whole, small)
            else:
                # Half a step of a tenth of the standard deviation.
                assert small == pytest.approx(whole, rel=0, abs=0.051 * float(whole.std()))
                assert not np.array_equal(whole, small)
    kernels: list[h5py.Dataset] = []
    with h5py.File(tmp_path / "shipped/fer9/model.weights.h5") as file:
        file.visititems(lambda _, x: kernels.append(x) if getattr(x, "ndim", 0) > 1 else None)
        stored = sum(kernel.id.get_storage_size() for kernel in kernels)
        assert stored < 0.5 * sum(kernel.nbytes for kernel in kernels)
