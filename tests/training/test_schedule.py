"""The learning rate of each step, and the epoch after which a training ends."""

import numpy as np
import pytest
from short_training import recipe

from mien.training.schedule import best_epoch, finished, learning_rate, plateaus


def test_learning_rate_warms_up_linearly_then_follows_the_cosine():
    train = recipe(epochs=5, warmup_epochs=1, schedule="cosine", learning_rate=0.1)
    rates = [learning_rate(step, 10, [], train) for step in range(50)]
    assert rates[:10] == pytest.approx(np.arange(1, 11) / 100)
    assert rates[10] == pytest.approx(0.1)
    assert rates[30] == pytest.approx(0.05)
    assert 0 < rates[49] < 0.001


def test_constant_rate_stays():
    train = recipe(schedule="constant", learning_rate=0.1, warmup_epochs=0)
    assert {learning_rate(step, 10, [1, 2], train) for step in range(30)} == {0.1}


def test_plateau_halves_the_rate_after_three_epochs_without_a_lower_loss():
    train = recipe(schedule="plateau", learning_rate=0.1, warmup_epochs=0)
    losses = [3, 2, 2.5, 2, 2.1]
    assert plateaus(losses[:4]) == 0
    assert learning_rate(50, 10, losses, train) == pytest.approx(0.05)
    assert plateaus([*losses, 1.9, 2, 2]) == 1
    assert plateaus([*losses, 3, 3, 3]) == 2


def test_early_stopping_waits_for_its_epochs():
    train = recipe(epochs=9, early_stopping=2)
    assert not finished([], train)
    assert not finished([3, 2, 2.5], train)
    assert finished([3, 2, 2.5, 2.0], train)
    assert best_epoch([3, 2, 2.5, 2.0]) == 1
    assert not finished([3, 2, 2.5, 2.0], recipe(epochs=9, early_stopping=0))
    assert finished([1] * 9, recipe(epochs=9, early_stopping=0))
