"""Samplers, which propose trials, and pruners, which end poor ones early."""

import importlib.util
import math
from typing import Any

import numpy as np
from optuna import pruners, samplers
from optuna.distributions import CategoricalDistribution, IntDistribution

from mien.errors import TuningError
from mien.tuning.space import Space, Values

# Random trials, including the start, before a model guides the search: half of Optuna's default,
# because these studies have few trials.
STARTUP = 5
# Trials per generation of NSGA-II. With Optuna's 50 these studies would never leave the first.
POPULATION = 10
# Grid points of a range: its ends and its middle.
POINTS = 3
# Maximum number of grid points, which bounds the memory for their order.
LARGEST = 1_000_000


def sampler(name: str, seed: int, number: int) -> samplers.BaseSampler:
    """Return the sampler of trial `number`, whose draws derive from (seed, number) only.

    Args:
        name: as in `tune.sampler`; for a grid see `grid_point` instead.
        seed: seed of the study.
        number: number of the trial, from 0.

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
        # It draws choices at random and would warn about each.
        return samplers.CmaEsSampler(seed=drawn, warn_independent_sampling=False)
    return samplers.RandomSampler(seed=drawn)


def pruner(name: str, epochs: int) -> pruners.BasePruner:
    """Return the pruner of trials of `epochs` epochs, by its name in `tune.pruner`."""
    if name == "hyperband":
        return pruners.HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3)
    return pruners.MedianPruner() if name == "median" else pruners.NopPruner()


def grid_size(space: Space) -> int:
    """Return the number of grid points of the space; see `grid_point`."""
    return math.prod(map(len, _axes(space)))


def grid_point(space: Space, seed: int, number: int) -> Values:
    """Return the grid point of trial `number`; the points are in random order.

    A range has POINTS evenly spaced points, in the logarithm if it is logarithmic; each choice is
    a point.

    Args:
        space: the search space.
        seed: seed of the order.
        number: number of the trial, from 1 to the size of the grid: trial 0 is the start.

    Raises:
        TuningError: the grid has more than LARGEST points.
    """
    axes, size = _axes(space), grid_size(space)
    if size > LARGEST:
        raise TuningError(
            f"tune.sampler: the grid of tune.search must have {LARGEST:,} points at most, "
            f"got {size:,}; search fewer params, or use another sampler"
        )
    place = np.random.default_rng(seed).permutation(size)[number - 1]
    places = np.unravel_index(place, [len(axis) for axis in axes])
    names = space.distributions
    return {name: axis[at] for name, axis, at in zip(names, axes, places, strict=True)}


def _axes(space: Space) -> list[list[Any]]:
    """Return the grid's values of each param."""
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
            # Rounding may move an end of geomspace out of the range.
            axes.append(sorted({float(np.clip(point, kind.low, kind.high)) for point in points}))
    return axes
