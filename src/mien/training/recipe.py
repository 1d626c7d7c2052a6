"""What a model is trained by: the params with the architecture's defaults, its spec, its record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mien.faces import Faces
from mien.models import face_weights, registry
from mien.params import DEFAULT_RATE, Model, Params, Train
from mien.project import root

if TYPE_CHECKING:
    from mien.models.weights import Pretrained

# Of a net whose trained weights all learn.
FINE_TUNING_RATE = 0.001
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
    """Return what `params.model` is trained by on these faces. Imports Keras.

    Raises:
        ParamError: the architecture does not take an option, or its weights cannot be had.
        ModelError: `faces` were not fetched, or are other files.
    """
    from mien.models.weights import load

    spec = model_spec(params.model, training)
    registry.check(spec)
    train = with_default_rate(params.train, spec)
    pretrained = load(spec, root() / face_weights.KEPT)
    return Recipe(params.model_copy(update={"train": train}), spec, pretrained)


def model_spec(model: Model, training: Faces) -> dict[str, Any]:
    """Return the spec (see `mien.models.registry`) of `model` for the faces that it learns from.

    Imports Keras.
    """
    size = training.images.shape[1]
    spec = model.model_dump() | {"classes": list(training.classes), "image_size": size}
    return registry.settled(spec)


def with_default_rate(train: Train, spec: Mapping[str, Any]) -> Train:
    """Return `train` with the architecture's learning rate unless params.yaml gives one.

    Muon's is five times as high as that of the other optimisers. Imports Keras.

    Args:
        train: how to train.
        spec: its `arch`, `weights` and `unfreeze`. A net that starts from trained weights takes
            FINE_TUNING_RATE; where its head learns first and then few layers, the rate of most
            nets.
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
    """Return the params of a student: its net, and labels that its targets smooth already.

    Imports Keras. Of the start, `weights`, it has what its architecture has a place for.
    """
    own = params.model.model_dump()
    if not registry.starts_from(arch, params.model.weights):
        own |= {name: registry.OPTIONS[name] for name in ("side", *registry.PRETRAINING)}
    model = Model.model_validate(own | {"arch": arch, "width": params.distill.width})
    train = params.train.model_copy(update={"label_smoothing": 0.0, "folds": 0})
    return params.model_copy(update={"model": model, "train": train})
