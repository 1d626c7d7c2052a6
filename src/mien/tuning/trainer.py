"""The trainings of a study: short ones for the trials, full ones at the end."""

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
    """What all trainings of a study have in common.

    Attributes:
        training: all training images.
        validation: images on which trials are judged.
        seed: seed of every training.
        pretrained: weights that a transfer network starts from.
        events: returns, for the title of a training, a context with a function that logs epochs.
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
            # Epochs that were not logged because of a kill after their checkpoint.
            both(trained.history)
        return trained

    def record(
        self, name: str, params: Params, settings: Settings, data: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return the record of the model trained with `settings`, see `mien.training.recipe`."""
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
    """Return the trainer for a study of `space`; see the attributes of `Trainer`."""
    spec = model_spec(space.settings.model, training)
    pretrained = load(spec, root() / face_weights.KEPT)
    return Trainer(training, validation, seed, pretrained, events)


def evaluator(trainer: Trainer, space: Space, tune: Tune) -> Evaluate:
    """Return the function that trains a trial, for `search.run`.

    Every trial has the same images, initial weights and order of images, so that two trials differ
    in their params only.

    Args:
        trainer: the trainer.
        space: turns values into settings.
        tune: epochs of a trial, and its fraction of the training images.
    """
    images = share(trainer.training, tune.fraction, trainer.seed)

    def evaluate(number: int, values: Values, checkpoints: Path, watch: Watch) -> None:
        settings = space.made(values)
        shortened = Settings(settings.model, short(settings.train, tune.epochs), settings.augment)
        trainer.train(shortened, images, checkpoints, f"trial {number + 1}", watch)

    return evaluate


def short(train: Train, epochs: int) -> Train:
    """Return `train` for `epochs`, with proportional warm-up and without early stopping.

    Trials are stopped by the pruner only and judged after their last epoch.
    """
    warmup = train.warmup_epochs * epochs / train.epochs
    changes = {"epochs": epochs, "warmup_epochs": warmup, "early_stopping": 0}
    return Train.model_validate(train.model_dump() | changes)


def share(training: Faces, fraction: float, seed: int) -> Faces:
    """Return a random `fraction` of the groups of each class, at least one, in their order.

    Copies stay with their originals and duplicates together, as they are one group; a group
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
