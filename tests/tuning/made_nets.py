"""A trainer whose nets take no training: how good one is follows from its learning rate."""

from contextlib import nullcontext
from types import SimpleNamespace

import cheap
import numpy as np
from conftest import made_faces

from mien.errors import TrainingError
from mien.tuning.space import Settings
from mien.tuning.trainer import Trainer


class Nets(Trainer):
    """Nets that are wrong on the first `1000 * learning_rate` images; over 0.5 a loss is lost."""

    def train(self, settings, images, checkpoints, title, watch=None):
        if settings.train.learning_rate > 0.5:
            raise TrainingError("epoch 1: the loss is nan")
        right = np.eye(4)[self.validation.labels]
        wrong = np.arange(len(right)) < 1000 * settings.train.learning_rate
        right[wrong] = np.roll(right[wrong], 1, axis=1)
        model = SimpleNamespace(predict_on_batch=lambda _: (0.6 * right + 0.1).astype(np.float32))
        return SimpleNamespace(model=model, history=[])


TRAINER = Nets(made_faces(8), made_faces(40, seed=3), 0, None, lambda title: nullcontext())


def settings(rate: float) -> Settings:
    train = cheap.PARAMS.train.model_copy(update={"learning_rate": rate})
    return Settings(cheap.PARAMS.model, train, cheap.PARAMS.augment)
