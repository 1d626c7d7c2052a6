"""The trainings of a tuning: short ones for the trials, full ones for the end."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mien.faces import Faces
from mien.models import face_weights
from mien.models.weights import Pretrained, load
from mien.params import Params, Train, Tune
from mien.project import root
from mien.training.fitting import Trained, fit
from mien.training.recipe import Recipe, model_spec
from mien.tuning.search import Evaluate, History, Watch
from mien.tuning.space import Settings, Space, Values


@dataclass(frozen=True)
class Trainer:
    """What all trainings of a tuning have in common.

    Attributes:
        training: all images to learn from.
        validation: images to judge by.
        seed: of every training.
        pretrained: trained weights that a transfer net starts from.
        events: gives what shows the epochs of a training, by its title.
    """

    training: Faces
    validation: Faces
    seed: int
    pretrained: Pretrained | None
    events: Callable[[str], AbstractContextManager[Watch]]

    def train(
        self,
        settings: Settings,
        images: Faces,
        checkpoints: Path,
        title: str,
        watch: Watch = lambda history: None,
    ) -> Trained:
        """Return the model of `settings`, trained on `images`; see `mien.training.fitting.fit`."""
        with self.events(title) as show:

            def both(history: History) -> None:
                show(history)
                watch(history)

            trained = fit(
                model_spec(settings.model, images),
                images,
                self.validation,
                train=settings.train,
                augment=settings.augment,
                seed=self.seed,
                checkpoints=checkpoints,
                pretrained=self.pretrained,
                watch=both,
                title=f"{title}, epoch",
            )
            # What a kill between a checkpoint and its showing left out.
            both(trained.history)
        return trained

    def record(
        self, name: str, params: Params, settings: Settings, data: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return the record of the model that `settings` gave, see `mien.training.recipe`."""
        spec = model_spec(settings.model, self.training)
        used = params.model_copy(update=vars(settings))
        return Recipe(used, spec, self.pretrained).record(name, data)


def trainer(
    seed: int,
    space: Space,
    training: Faces,
    validation: Faces,
    events: Callable[[str], AbstractContextManager[Watch]],
) -> Trainer:
    """Return what trains in a study of `space`; see the attributes of `Trainer`."""
    spec = model_spec(space.settings.model, training)
    pretrained = load(spec, root() / face_weights.KEPT)
    return Trainer(training, validation, seed, pretrained, events)


def evaluator(trainer: Trainer, space: Space, tune: Tune) -> Evaluate:
    """Return what trains a trial, for `search.run`.

    Every trial has the same images, first weights and order of images, those of the one seed:
    what sets two trials apart is their params, not their luck.

    Args:
        trainer: what it trains with.
        space: makes settings of values.
        tune: epochs of a trial, and its share of the training images.
    """
    images = share(trainer.training, tune.fraction, trainer.seed)

    def evaluate(number: int, values: Values, checkpoints: Path, watch: Watch) -> None:
        settings = space.made(values)
        shortened = Settings(settings.model, short(settings.train, tune.epochs), settings.augment)
        trainer.train(shortened, images, checkpoints, f"trial {number + 1}", watch)

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
