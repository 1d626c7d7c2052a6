"""Who proposes the next trial, and who ends a poor one early."""

import importlib.util
import math
from typing import Any

import numpy as np
from optuna import pruners, samplers
from optuna.distributions import CategoricalDistribution, IntDistribution

from mien.errors import TuningError
from mien.tuning.space import Space, Values

# Trials at random, the start among them, before a model of the space guides the search: half of
# Optuna's own number, because a study of nets has few.
STARTUP = 5
# Trials in a generation of NSGA-II. With Optuna's 50 a study of nets would never leave the first.
POPULATION = 10
# A range's points on a grid: its ends and its middle.
POINTS = 3
# Points of a grid. Nobody trains so many nets; it bounds the memory for their order.
LARGEST = 1_000_000


def sampler(name: str, seed: int, number: int) -> samplers.BaseSampler:
    """Return the sampler of trial `number`, whose draws follow from (seed, number) alone.

    Args:
        name: as in `tune.sampler`; a grid's points come from `grid_point` instead.
        seed: of the study.
        number: of the trial, from 0.

    Raises:
        TuningError: the sampler's package is not installed.
    """
    drawn = int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
    if name == "tpe":
        return samplers.TPESampler(n_startup_trials=STARTUP, seed=drawn)
    if name == "gp":
        if importlib.util.find_spec("torch") is None:
            raise TuningError("tune.sampler: gp needs PyTorch; run `pip install torch`")
        return samplers.GPSampler(n_startup_trials=STARTUP, seed=drawn)
    if name == "nsga2":
        return samplers.NSGAIISampler(population_size=POPULATION, seed=drawn)
    if name == "cmaes":
        # It draws choices at random, and would say so for each.
        return samplers.CmaEsSampler(seed=drawn, warn_independent_sampling=False)
    return samplers.RandomSampler(seed=drawn)


def pruner(name: str, epochs: int) -> pruners.BasePruner:
    """Return the pruner of trials of `epochs` epochs, by its name in `tune.pruner`."""
    if name == "hyperband":
        return pruners.HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3)
    return pruners.MedianPruner() if name == "median" else pruners.NopPruner()


def grid_size(space: Space) -> int:
    """Return the number of points on the grid of the space; see `grid_point`."""
    return math.prod(map(len, _axes(space)))


def grid_point(space: Space, seed: int, number: int) -> Values:
    """Return the point of trial `number` on the grid, whose points come in random order.

    A range has POINTS points, even in it or, if it is logarithmic, in its logarithm; choices
    have a point each.

    Args:
        space: what the study may change.
        seed: of the order.
        number: of the trial, from 1 to the size of the grid: trial 0 is the start.

    Raises:
        TuningError: the grid has more than LARGEST points.
    """
    axes, size = _axes(space), grid_size(space)
    if size > LARGEST:
        raise TuningError(
            f"tune.sampler: the grid of tune.search must have {LARGEST:,} points at most, "
            f"got {size:,}; search fewer params, or take another sampler"
        )
    place = np.random.default_rng(seed).permutation(size)[number - 1]
    places = np.unravel_index(place, [len(axis) for axis in axes])
    names = space.distributions
    return {name: axis[at] for name, axis, at in zip(names, axes, places, strict=True)}


def _axes(space: Space) -> list[list[Any]]:
    """Return the grid's values along each param."""
    axes: list[list[Any]] = []
    for kind in space.distributions.values():
        if isinstance(kind, CategoricalDistribution):
            axes.append(list(kind.choices))
            continue
        spread = np.geomspace if kind.log else np.linspace
        points = spread(kind.low, kind.high, POINTS)
        if isinstance(kind, IntDistribution):
            axes.append(sorted({round(point) for point in points}))
        else:
            # Rounding may carry an end of geomspace out of the range.
            axes.append(sorted({float(np.clip(point, kind.low, kind.high)) for point in points}))
    return axes
