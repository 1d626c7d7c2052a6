"""A checkpoint gives back all that the next epoch needs; one cut off leaves the one before."""

import keras
import numpy as np
import pytest

from mien.training import checkpoint
from mien.training.checkpoint import TrainingState


def compiled(seed: int) -> keras.Model:
    """Return a small net and its optimiser, which has made a step."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.train_on_batch(np.ones((4, 3)), np.full((4, 2), seed))
    return model


def state(epochs: int) -> TrainingState:
    rows = [{"epoch": epoch, "val_loss": 1 / epoch} for epoch in range(1, epochs + 1)]
    # More than ten, whose names would else come in another order.
    average = [np.full(2, place + epochs, np.float32) for place in range(12)]
    return TrainingState(rows, average, [np.zeros(1)], 1.5 * epochs)


def content(model: keras.Model) -> list[np.ndarray]:
    variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def check(folder, model: keras.Model, saved: TrainingState) -> None:
    """Check that the folder holds this model and this state."""
    fresh = compiled(seed=9)
    found = checkpoint.load(folder, fresh)
    assert all(map(np.array_equal, content(fresh), content(model)))
    assert (found.history, found.seconds) == (saved.history, saved.seconds)
    assert found.losses == [row["val_loss"] for row in saved.history]
    for name in ("average", "best"):
        assert len(getattr(found, name)) == len(getattr(saved, name))
        assert all(map(np.array_equal, getattr(found, name), getattr(saved, name)))


def test_a_folder_without_a_checkpoint_is_a_training_that_has_not_begun(tmp_path):
    model = compiled(seed=1)
    found = checkpoint.load(tmp_path / "absent", model)
    assert (found.history, found.best, found.seconds) == ([], [], 0)
    assert all(map(np.array_equal, found.average, model.get_weights()))
    assert checkpoint.finished(tmp_path / "absent") == 0


def test_the_last_epoch_is_given_back_and_no_other_is_kept(tmp_path):
    checkpoint.save(tmp_path, compiled(seed=1), state(1))
    model = compiled(seed=2)
    checkpoint.save(tmp_path, model, state(2))
    check(tmp_path, model, state(2))
    assert checkpoint.finished(tmp_path) == 2
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"state.json", "00002.weights.h5", "00002.npz"}


def test_one_that_was_cut_off_while_it_was_written_leaves_the_one_before(tmp_path, monkeypatch):
    def cut_off(*_):
        raise KeyboardInterrupt

    first, second = compiled(seed=1), compiled(seed=2)
    checkpoint.save(tmp_path, first, state(1))
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", cut_off)
        with pytest.raises(KeyboardInterrupt):
            checkpoint.save(tmp_path, second, state(2))
    assert (tmp_path / "00002.npz").exists()
    check(tmp_path, first, state(1))
    checkpoint.save(tmp_path, second, state(2))
    check(tmp_path, second, state(2))
