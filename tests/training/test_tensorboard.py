"""TensorBoard shows each epoch of a training once, a resumed one's too."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from tensorflow.python.summary.summary_iterator import summary_iterator

from mien.training.tensorboard import tensorboard

HISTORY = [{"epoch": epoch, "loss": 1 / epoch, "val_loss": epoch / 8} for epoch in (1, 2, 3, 4)]


def shown(folder: Path) -> dict[tuple[str, int], float]:
    """Return what TensorBoard shows of a folder: a session drops what lies at its step and on."""
    values: dict[tuple[str, int], float] = {}
    for path in sorted(folder.iterdir()):
        for event in summary_iterator(str(path)):
            if event.HasField("session_log"):
                values = {key: value for key, value in values.items() if key[1] < event.step}
            for value in event.summary.value:
                assert (value.tag, event.step) not in values, "shown twice"
                values[value.tag, event.step] = value.simple_value
    return values


EXPECTED = {
    (name, row["epoch"]): pytest.approx(row[name])
    for row in HISTORY
    for name in ("loss", "val_loss")
}


def test_every_epoch_is_written_once(tmp_path):
    with tensorboard(tmp_path / "run") as show:
        show(HISTORY[:1])
        show(HISTORY[:3])
        show(HISTORY)
        show(HISTORY)
    assert shown(tmp_path / "run") == EXPECTED


def test_a_resumed_training_fills_in_what_is_missing_and_doubles_nothing(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("tensorboardX.event_file_writer.time", SimpleNamespace(time=lambda: 1e9))
        with tensorboard(tmp_path) as show:
            show(HISTORY[:2])
    with tensorboard(tmp_path) as show:
        show(HISTORY)
    assert len(list(tmp_path.iterdir())) == 2
    assert shown(tmp_path) == EXPECTED


def test_nothing_is_written_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with tensorboard(None) as show:
        show(HISTORY)
    assert not list(tmp_path.iterdir())
