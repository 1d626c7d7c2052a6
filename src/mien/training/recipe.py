"""How a model is trained: params with the architecture's defaults, its spec, its record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mien.faces import Faces
from mien.models import face_weights, registry
from mien.params import DEFAULT_RATE, Model, Params, Train
from mien.project import root

if TYPE_CHECKING:
    from mien.models.weights import Pretrained

# Learning rate of a network of which all pretrained layers are trained.
FINE_TUNING_RATE = 0.001
# Muon's updates are scaled to the size of AdamW's, but larger ones train faster: docs/results.md.
MUON_FACTOR = 5
# Sections of params.yaml that a model depends on.
SECTIONS = {"augment", "model", "seed", "train"}


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a training, besides the data.

    Attributes:
        params: the params, with the learning rate that is used.
        spec: see `mien.models.registry`.
        pretrained: weights that the model starts from; None: random weights.
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
        """Return the model's record, except the hash of its weights.

        Args:
            name: name of the model.
            data: DVC's hashes of the data it is trained and measured on, by path.
        """
        start = {"weights": self.spec["weights"], "sha256": None}
        if self.pretrained:
            start["sha256"] = self.pretrained.sha256
            start |= {"source": self.pretrained.source, "licence": self.pretrained.licence}
        return {
            "name": name,
            "spec": self.spec,
            "pretrained": start,
            "params": self.params.model_dump(mode="json", include=SECTIONS),
            "data": dict(data),
        }


def recipe(params: Params, training: Faces) -> Recipe:
    """Return the recipe of `params.model` for these faces. Imports Keras.

    Raises:
        ParamError: the architecture does not have an option, or its weights are not available.
        ModelError: the files for `faces` are missing or wrong.
    """
    from mien.models.weights import load

    spec = model_spec(params.model, training)
    registry.check(spec)
    train = with_default_rate(params.train, spec)
    pretrained = load(spec, root() / face_weights.KEPT)
    return Recipe(params.model_copy(update={"train": train}), spec, pretrained)


def model_spec(model: Model, training: Faces) -> dict[str, Any]:
    """Return the spec (see `mien.models.registry`) of `model` for its training images.

    Imports Keras.
    """
    size = training.images.shape[1]
    spec = model.model_dump() | {"classes": list(training.classes), "image_size": size}
    return registry.settled(spec)


def with_default_rate(train: Train, spec: Mapping[str, Any]) -> Train:
    """Return `train` with the architecture's learning rate unless params.yaml sets one.

    For Muon it is five times as high as for the other optimisers. Imports Keras.

    Args:
        train: section `train` of params.
        spec: its `arch`, `weights` and `unfreeze` are used. A network that starts from pretrained
            weights takes FINE_TUNING_RATE, or the general default if `unfreeze` is a number,
            because its head is trained first.
    """
    if train.learning_rate != DEFAULT_RATE:
        return train
    if spec.get("weights", "none") == "none":
        rate = registry.learning_rate(spec["arch"])
    else:
        rate = FINE_TUNING_RATE if spec.get("unfreeze") is None else registry.LEARNING_RATE
    rate *= MUON_FACTOR if train.optimizer == "muon" else 1
    return train.model_copy(update={"learning_rate": rate})


def student(params: Params, arch: str) -> Params:
    """Return the params of a student; its targets already contain the label smoothing.

    Imports Keras. The student takes `weights` only if its architecture has a place for them.
    """
    own = params.model.model_dump()
    if not registry.starts_from(arch, params.model.weights):
        own |= {name: registry.OPTIONS[name] for name in ("side", *registry.PRETRAINING)}
    model = Model.model_validate(own | {"arch": arch, "width": params.distill.width})
    train = params.train.model_copy(update={"label_smoothing": 0.0, "folds": 0})
    return params.model_copy(update={"model": model, "train": train})
