"""Samplers draw by seed and number of the trial; a grid has each of its points once."""

import cheap
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from mien.errors import TuningError
from mien.tuning import strategies
from mien.tuning.space import Space


def spanned(distributions: dict[str, BaseDistribution]) -> Space:
    return Space(cheap.SPACE.settings, {}, distributions)


@pytest.mark.parametrize("name", ["tpe", "random", "nsga2", "cmaes"])
def test_a_draw_follows_from_the_seed_and_the_number_of_the_trial(name):
    space = dict(cheap.SPACE.distributions)

    def drawn(seed: int, number: int) -> dict[str, object]:
        study = cheap.complete_study(12)
        study.sampler = strategies.sampler(name, seed, number)
        return study.ask(space).params

    first, again, later, other = (drawn(*pair) for pair in ((5, 12), (5, 12), (5, 13), (6, 12)))
    assert first == again
    assert first != later
    assert first != other


def test_a_grid_visits_each_of_its_points_once():
    space = spanned(
        {
            "model.depth": CategoricalDistribution((1, 2)),
            "model.width": FloatDistribution(0.5, 1.5),
            "train.batch_size": IntDistribution(64, 65),
            "train.learning_rate": FloatDistribution(0.0001, 0.01, log=True),
        }
    )
    size = strategies.grid_size(space)
    assert size == 2 * 3 * 2 * 3
    points = [strategies.grid_point(space, 0, number) for number in range(1, size + 1)]
    assert len({tuple(point.values()) for point in points}) == size
    assert {point["train.learning_rate"] for point in points} == {0.0001, 0.001, 0.01}
    assert {point["model.width"] for point in points} == {0.5, 1.0, 1.5}
    assert points != [strategies.grid_point(space, 1, number) for number in range(1, size + 1)]


def test_a_grid_that_nobody_can_finish_is_refused():
    wide = {name: CategoricalDistribution(tuple(range(40))) for name in "abcd"}
    with pytest.raises(TuningError, match=r"1,000,000 points at most, got 2,560,000; search fewer"):
        strategies.grid_point(spanned(wide), 0, 1)
