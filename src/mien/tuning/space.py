"""The search space of a study, and its start."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from mien.errors import TuningError
from mien.models import registry
from mien.params import KINDS, Augment, Choices, Model, Params, Range, Train
from mien.training.recipe import with_default_rate

Values = dict[str, Any]
Distribution = CategoricalDistribution | FloatDistribution | IntDistribution


@dataclass(frozen=True)
class Settings:
    """The sections of params that define a model: network, training, augmentation."""

    model: Model
    train: Train
    augment: Augment


@dataclass(frozen=True)
class Space:
    """The search space of a study.

    Attributes:
        settings: the start, from params.yaml for this architecture.
        start: the start's value of each searched param, by names such as `train.learning_rate`.
        distributions: distribution of each searched param; it always contains the start.
    """

    settings: Settings
    start: Values
    distributions: dict[str, Distribution]

    def values(self, params: Mapping[str, Any]) -> Values:
        """Return a trial's values in the order of the space, with six significant digits."""
        if dict(params) == self.start:
            return self.start
        return {name: _short(params[name], kind) for name, kind in self.distributions.items()}

    def made(self, values: Values) -> Settings:
        """Return the settings with `values`; for those of the start, the start itself."""
        if values == self.start:
            return self.settings
        sections: dict[str, Values] = {name: {} for name in KINDS}
        for name, value in values.items():
            section, key = name.split(".")
            sections[section][key] = value
        return Settings(
            model=Model.model_validate(self.settings.model.model_dump() | sections["model"]),
            train=Train.model_validate(self.settings.train.model_dump() | sections["train"]),
            augment=Augment.model_validate(
                self.settings.augment.model_dump() | sections["augment"]
            ),
        )


def of(params: Params, arch: str) -> Space:
    """Return the search space that `tune.search` defines for `arch`. Imports Keras.

    The start has the options of `tune.model`. Options that `arch` does not have are left out. The
    start of an empty option is the architecture's default. If that is None, as for the hidden
    layer of a transfer network, the option is only searched if `tune.search` has choices.

    Raises:
        TuningError: a logarithmic range cannot contain the start's value.
    """
    taken = registry.options(arch)
    model = Model.model_validate(registry.adapted(params.tune.model.model_dump(), arch))
    settings = Settings(model, with_default_rate(params.train, model.model_dump()), params.augment)
    start: Values = {}
    distributions: dict[str, Distribution] = {}
    for section in KINDS:
        for key, searched in getattr(params.tune.search, section).items():
            value = getattr(getattr(settings, section), key)
            if section == "model":
                # A model to start from has its shape already.
                if key not in taken or (
                    key != "dropout" and registry.trained_folder(model.weights)
                ):
                    continue
                value = registry.defaults(arch)[key] if value is None else value
            if value is None and isinstance(searched, Range):
                continue
            name = f"{section}.{key}"
            start[name] = value
            distributions[name] = _distribution(name, searched, value)
    return Space(settings, start, distributions)


def _distribution(name: str, searched: Range | Choices, start: Any) -> Distribution:
    """Return `searched`, widened to contain the start's value."""
    if isinstance(searched, Choices):
        return CategoricalDistribution(tuple(dict.fromkeys((*searched.choices, start))))
    section, key = name.split(".")
    if searched.log and start <= 0:
        own = f"tune.{name}" if section == "model" else name
        raise TuningError(
            f"tune.search.{name}: a logarithmic range cannot hold the start's value, got {start:g} "
            f"in {own}; set {own} above 0, or log to false"
        )
    low, high = min(searched.low, start), max(searched.high, start)
    kind = KINDS[section].model_fields[key].annotation
    if int in (kind, *get_args(kind)):
        return IntDistribution(int(low), int(high), log=searched.log)
    return FloatDistribution(low, high, log=searched.log)


def _short(value: Any, kind: Distribution) -> Any:
    """Return a float with six significant digits, so that tables show the exact value."""
    if isinstance(kind, FloatDistribution):
        return min(max(float(f"{value:.6g}"), kind.low), kind.high)
    return value
