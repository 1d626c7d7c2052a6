"""What a model is trained by: the params with the architecture's defaults, its spec, its record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mien.faces import Faces
from mien.models import registry
from mien.params import DEFAULT_RATE, Model, Params, Train

if TYPE_CHECKING:
    from mien.models.weights import Pretrained

# Muon's steps are scaled to the size of AdamW's, but learn faster when larger: docs/results.md.
MUON_FACTOR = 5
# Sections of params.yaml that a model depends on.
SECTIONS = {"augment", "model", "seed", "train"}


@dataclass(frozen=True)
class Recipe:
    """All that a model is trained by.

    Attributes:
        params: with the learning rate that is used.
        spec: see `mien.models.registry`.
        pretrained: trained weights that the model starts from; None: from random ones.
    """

    params: Params
    spec: dict[str, Any]
    pretrained: "Pretrained | None"

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `fitting.fit`."""
        return {
            "train": self.params.train,
            "augment": self.params.augment,
            "seed": self.params.seed,
            "pretrained": self.pretrained,
        }

    def record(self, name: str, data: Mapping[str, str]) -> dict[str, Any]:
        """Return the model's record but for the hash of its weights.

        Args:
            name: of the model.
            data: path to DVC's hash of the data that it is trained and measured on.
        """
        digest = self.pretrained.sha256 if self.pretrained else None
        return {
            "name": name,
            "spec": self.spec,
            "pretrained": {"weights": self.spec["weights"], "sha256": digest},
            "params": self.params.model_dump(mode="json", include=SECTIONS),
            "data": dict(data),
        }


def recipe(params: Params, training: Faces) -> Recipe:
    """Return what `params.model` is trained by on these faces. Imports Keras.

    Raises:
        ParamError: the architecture does not take an option, or its weights cannot be had.
    """
    from mien.models.weights import load

    spec = model_spec(params.model, training)
    registry.check(spec)
    train = with_default_rate(params.train, spec)
    return Recipe(params.model_copy(update={"train": train}), spec, load(spec))


def model_spec(model: Model, training: Faces) -> dict[str, Any]:
    """Return the spec (see `mien.models.registry`) of `model` for the faces that it learns from."""
    size = training.images.shape[1]
    return model.model_dump() | {"classes": list(training.classes), "image_size": size}


def with_default_rate(train: Train, spec: Mapping[str, Any]) -> Train:
    """Return `train` with the architecture's learning rate unless params.yaml gives one.

    Muon's is five times as high as that of the other optimisers. Imports Keras.

    Args:
        train: how to train.
        spec: its `arch` and `weights`. A net that starts from trained weights takes the rate of
            most nets: what learns first is its head alone.
    """
    if train.learning_rate != DEFAULT_RATE:
        return train
    scratch = spec.get("weights", "none") == "none"
    rate = registry.learning_rate(spec["arch"]) if scratch else registry.LEARNING_RATE
    rate *= MUON_FACTOR if train.optimizer == "muon" else 1
    return train.model_copy(update={"learning_rate": rate})


def student(params: Params, arch: str) -> Params:
    """Return the params of a student: its net, and labels that its targets smooth already."""
    model = params.model.model_copy(update={"arch": arch, "width": params.distill.width})
    train = params.train.model_copy(update={"label_smoothing": 0.0, "folds": 0})
    return params.model_copy(update={"model": model, "train": train})
