"""The trainings of a tuning: short ones for the trials, full ones for the end."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.faces import Faces
from mien.models.pretrained import Pretrained
from mien.params import Train, Tune
from mien.training import Trained, described, fit
from mien.tuning.search import Evaluate, History, Watch
from mien.tuning.space import Recipe, Space, Values


@dataclass(frozen=True)
class Bench:
    """What all trainings of a tuning have in common.

    Attributes:
        training: all images to learn from.
        validation: images to judge by.
        seed: of every training.
        pretrained: trained weights that a transfer net starts from.
        board: gives what shows the epochs of a training, by its title.
    """

    training: Faces
    validation: Faces
    seed: int
    pretrained: Pretrained | None
    board: Callable[[str], AbstractContextManager[Watch]]

    def train(
        self,
        recipe: Recipe,
        images: Faces,
        checkpoints: Path,
        title: str,
        watch: Watch = lambda history: None,
    ) -> Trained:
        """Return the recipe trained on `images`; see `mien.training.fit`."""
        with self.board(title) as show:

            def both(history: History) -> None:
                show(history)
                watch(history)

            trained = fit(
                described(recipe.model, images),
                images,
                self.validation,
                train=recipe.train,
                augment=recipe.augment,
                seed=self.seed,
                checkpoints=checkpoints,
                pretrained=self.pretrained,
                watch=both,
                title=f"{title}, epoch",
            )
            # What a kill between a checkpoint and its showing left out.
            both(trained.history)
        return trained


def evaluator(bench: Bench, space: Space, tune: Tune) -> Evaluate:
    """Return what trains a trial, for `search.run`.

    Every trial has the same images, first weights and order of images, those of the one seed:
    what sets two trials apart is their params, not their luck.

    Args:
        bench: what it trains with.
        space: makes recipes of values.
        tune: epochs of a trial, and its share of the training images.
    """
    images = share(bench.training, tune.fraction, bench.seed)

    def evaluate(number: int, values: Values, checkpoints: Path, watch: Watch) -> None:
        recipe = space.made(values)
        shortened = Recipe(recipe.model, short(recipe.train, tune.epochs), recipe.augment)
        bench.train(shortened, images, checkpoints, f"trial {number + 1}", watch)

    return evaluate


def short(train: Train, epochs: int) -> Train:
    """Return `train` for `epochs`, its warm-up in proportion, without early stopping.

    The pruner is what stops a trial, and a trial is judged after its last epoch.
    """
    warmup = train.warmup_epochs * epochs / train.epochs
    changes = {"epochs": epochs, "warmup_epochs": warmup, "early_stopping": 0}
    return Train.model_validate(train.model_dump() | changes)


def share(training: Faces, fraction: float, seed: int) -> Faces:
    """Return `fraction` of the groups of each class at random, at least one, in their order.

    A copy stays with its original and a duplicate with its twin, as they are one group; a group
    counts for the class of its first image.
    """
    if fraction == 1:
        return training
    rng = np.random.default_rng(seed)
    groups = training.index.drop_duplicates("group").groupby("label", observed=True)["group"]
    kept = [
        rng.choice(each.to_numpy(), max(1, round(fraction * len(each))), replace=False)
        for _, each in groups
    ]
    return training.take(training.index["group"].isin(np.concatenate(kept)).to_numpy())
