"""In full, the better of start and best trial wins, and one of them may be lost."""

import pytest
from made_nets import TRAINER, settings

from mien.errors import TrainingError
from mien.tuning import refit
from mien.tuning.space import Settings


def both(start: float, best: float) -> dict[str, Settings]:
    return {"start": settings(start), "best": settings(best)}


@pytest.mark.parametrize(
    ("start", "best", "name"),
    [(0.01, 0.005, "best"), (0.005, 0.01, "start"), (0.01, 0.0099, "start")],
)
@pytest.mark.parametrize("metric", ["macro_f1", "log_loss"])
def test_the_better_of_both_is_chosen_and_of_equals_the_start(start, best, name, metric, tmp_path):
    done = refit.refit(TRAINER, both(start, best), tmp_path)
    assert refit.better(done, metric).name == name


def test_a_best_trial_that_is_lost_at_full_length_leaves_the_start(tmp_path, capsys):
    done = refit.refit(TRAINER, both(0.01, 0.9), tmp_path)
    assert refit.better(done, "accuracy").name == "start"
    told = refit.comparison(done, TRAINER)
    assert told["best"] is None
    assert told["start"]["accuracy"] == 0.75
    assert "difference" not in told
    assert "best in full: epoch 1: the loss is nan" in capsys.readouterr().err


def test_a_lost_start_leaves_the_best_trial(tmp_path):
    done = refit.refit(TRAINER, both(0.9, 0.01), tmp_path)
    assert refit.better(done, "accuracy").name == "best"
    with pytest.raises(TrainingError, match="the loss is nan"):
        refit.refit(TRAINER, both(0.9, 0.8), tmp_path)


def test_the_difference_is_best_minus_start(tmp_path):
    told = refit.comparison(refit.refit(TRAINER, both(0.01, 0.005), tmp_path), TRAINER)
    assert (told["best"]["accuracy"], told["start"]["accuracy"]) == (0.875, 0.75)
    assert told["difference"]["accuracy_difference"] == 0.125


def test_equal_settings_are_trained_once(tmp_path):
    done = refit.refit(TRAINER, both(0.01, 0.01), tmp_path)
    assert done["best"] is done["start"]
    assert "difference" not in refit.comparison(done, TRAINER)
