"""params.yaml as typed, validated objects; every mistake is one line."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from mien.errors import MienError, ParamError, masked
from mien.models.registry import known

Fraction = Annotated[float, Field(ge=0, le=1)]
Action = Literal["keep", "drop"]
# Stands for an empty learning rate: if it were not replaced, the training would fail at once.
DEFAULT_RATE = math.inf


def ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    """Return (low, high) if low is not above high; otherwise raise a ValueError."""
    if bounds[0] > bounds[1]:
        raise ValueError(f"must be [low, high], got [{bounds[0]:g}, {bounds[1]:g}]")
    return bounds


Bounds = Annotated[tuple[float, float], AfterValidator(ordered)]
Kind = TypeVar("Kind", bound=BaseModel)


class Section(BaseModel):
    """A section of a settings file: all keys are known, values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _yes_is_no_number(cls, values: Any) -> Any:
        # Python's True is 1, so `epochs: yes` would be one epoch.
        for key, value in values.items() if isinstance(values, Mapping) else ():
            field = cls.model_fields.get(key)
            if isinstance(value, bool) and field and field.annotation is not bool:
                raise ValueError(f"{key} takes no yes or no, got {str(value).lower()}")
        return values


class Split(Section):
    """Fraction of the images for each split; they sum to one."""

    train: Fraction
    validation: Fraction
    test: Fraction

    @model_validator(mode="after")
    def _sum_to_one(self) -> "Split":
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"fractions must sum to 1, got {total:g}")
        if not (self.train and self.validation and self.test):
            raise ValueError("every fraction must be above 0")
        return self


class Data(Section):
    """Source of the faces, classes and splits."""

    source: str = Field(
        min_length=1, description="folder, zip, tar, CSV, or a folder holding several of these"
    )
    url: str | None = Field(
        description="download from http(s), s3, gs or Google Drive; replaces `source`"
    )
    sha256: str | None = Field(
        pattern="^[0-9a-f]{64}$", description="expected SHA-256 of the download"
    )
    labels: dict[str, str | None] = Field(
        description="class of each label of the source, `{1: surprise, joy: happy}`; null leaves "
        "its images out"
    )
    format: str | None = Field(
        description="what the source is read as, where two forms fit; docs/data.md lists them"
    )
    groups: tuple[str, ...] = Field(
        description="columns of the source, such as gender, by which scores are compared"
    )
    ferplus: Path | None = Field(description="FER+ votes, for FER2013 as a CSV: what train aims at")
    classes: tuple[str, ...] = Field(description="classes in order; empty: all, alphabetically")
    image_size: int = Field(ge=16, le=512, description="side of the grey square, in pixels")
    detect_faces: bool = Field(
        description="true: the source has whole photos, find the face in each; false: face crops"
    )
    split: Split = Field(description="fraction of the images, for splits missing in the source")
    resplit: bool = Field(description="ignore the source's splits and make new ones")

    @field_validator("labels", mode="before")
    @classmethod
    def _numbers_are_labels_too(cls, value: Any) -> Any:
        return (
            {str(key): name for key, name in value.items()} if isinstance(value, Mapping) else value
        )

    @field_validator("classes", "groups", mode="before")
    @classmethod
    def _a_list(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, str):
            raise ValueError(
                f"expected a list, got {value!r}; write {info.field_name}: [{value}], on the "
                f"command line -S 'data.{info.field_name}=[{value}]'"
            )
        return value

    @field_validator("classes")
    @classmethod
    def _two_classes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) == 1:
            raise ValueError(
                f"expected two classes or more, or none for all, got {value[0]!r} alone"
            )
        return value


class Policy(Section):
    """Action for each finding; for duplicates, `drop` keeps one copy."""

    colour: Action = Field(description="images whose channels differ")
    resized: Action = Field(description="images of another size than `data.image_size`")
    blank: Action = Field(description="images with practically one grey level")
    dark: Action = Field(description="images darker than `audit.dark`")
    bright: Action = Field(description="images brighter than `audit.bright`")
    blurred: Action = Field(description="images less sharp than `audit.blurred`")
    exact_duplicates: Action = Field(description="identical images: drop all copies but one")
    near_duplicates: Action = Field(description="almost identical images: drop all copies but one")
    label_conflicts: Action = Field(description="duplicates with different labels: drop all copies")


class Labels(Section):
    """The search for wrong labels in the train split by cross-validation."""

    action: Literal["none", "list"] = Field(
        description="list: search for doubtful labels and list them"
    )
    arch: Annotated[str, AfterValidator(known)] = Field(
        description="architecture of the networks that judge the labels"
    )
    folds: int = Field(
        ge=2,
        le=20,
        description="number of folds; each image is judged by a network trained on the others",
    )
    epochs: int = Field(ge=2, description="epochs per fold")


class Audit(Section):
    """Thresholds of the audit, in grey levels 0 to 255 after resizing, and its policy."""

    dark: float = Field(
        ge=0, le=255, description="an image is dark if its mean grey level is below this"
    )
    bright: float = Field(
        ge=0, le=255, description="an image is bright if its mean grey level is above this"
    )
    blurred: float = Field(
        ge=0, description="an image is blurred if the variance of its Laplacian is below this"
    )
    near_distance: int = Field(
        ge=0, le=64, description="maximum number of differing hash bits of near-duplicates"
    )
    policy: Policy
    labels: Labels


class Operation(Section):
    """An augmentation: applied with `probability`, its value uniform in `range`."""

    probability: Fraction
    range: Bounds


class Flip(Section):
    """Horizontal mirroring."""

    probability: Fraction


class Augment(Section):
    """Augmentation of the training images: in written copies, and again in every epoch."""

    copies: int = Field(ge=0, le=20, description="augmented copies written for each training image")
    balance: Literal["none", "mirror"] = Field(
        description="mirror: add mirrored images to the smaller classes"
    )
    each_epoch: bool = Field(description="augment the images in every epoch of training")
    strength: float = Field(ge=0, le=3, description="factor on the strength of all operations")
    flip: Flip = Field(description="horizontal mirroring")
    brightness: Operation = Field(description="brightness: factor on the grey levels")
    rotation: Operation = Field(description="rotation: degrees, anticlockwise")
    shear: Operation = Field(description="horizontal shear: tangent of the angle")
    shift: Operation = Field(description="shift: fraction of the side, independent for x and y")
    zoom: Operation = Field(description="zoom: factor on the size")
    erase: Operation = Field(description="random erasing: fraction of the area")
    blur: Operation = Field(description="Gaussian blur: sigma as a fraction of the side")
    noise: Operation = Field(description="Gaussian noise: standard deviation in grey levels")


class Options(Section):
    """The options of an architecture, and the weights that it starts from."""

    width: float = Field(gt=0, le=8, description="factor on channels and dense units")
    # None: the architecture's default.
    dropout: float | None = Field(
        ge=0,
        lt=1,
        description="dropout rate before the last layer, in some networks also elsewhere",
    )
    depth: int | None = Field(ge=1, le=8, description="number of blocks, or of layers per block")
    kernel: int | None = Field(
        ge=1, le=15, description="kernel size, in some networks of the first"
    )
    dense: int | None = Field(ge=1, le=8192, description="units of the hidden dense layer")
    attention: Literal["none", "se", "cbam", "self"] | None = Field(
        description="attention after each stage; empty: the architecture's default"
    )
    side: int | None = Field(
        ge=16,
        le=512,
        description="side of a transfer network's input; empty: that of the faces, with trained "
        "weights at least 96",
    )
    weights: str = Field(
        description="initial weights: none, imagenet, faces, the path of a weights file, or a "
        "trained model's folder"
    )
    unfreeze: int | None = Field(
        ge=0,
        description="last layers of the pretrained network that are trained after the head; "
        "empty: all of them, and batch normalisation",
    )

    @model_validator(mode="after")
    def _consistent(self) -> "Options":
        if self.unfreeze and self.weights == "none":
            raise ValueError(
                f"unfreeze is for trained weights, got {self.unfreeze} with weights none, where "
                "every layer learns from the start"
            )
        return self


class Architecture(Section):
    """The name of an architecture; a section of its own to come first in `Model`."""

    arch: Annotated[str, AfterValidator(known)] = Field(
        description="architecture; `mien models` lists them"
    )


class Model(Options, Architecture):
    """The network of `train`; students take its options, too."""


class Train(Section):
    """One training run."""

    epochs: int = Field(ge=1, description="passes over the training images")
    batch_size: int = Field(ge=1, description="images per step, over all devices")
    optimizer: Literal["adam", "adamw", "muon", "sgd"] = Field(
        description="sgd: Nesterov momentum 0.9; muon: Muon for kernels, AdamW for the rest"
    )
    learning_rate: Annotated[
        float, BeforeValidator(lambda rate: DEFAULT_RATE if rate is None else rate)
    ] = Field(
        gt=0,
        allow_inf_nan=True,
        description="empty: the architecture's default, for muon five times that",
    )
    trunk_rate: float = Field(
        gt=0,
        le=1,
        description="factor on the learning rate of pretrained weights if all layers are trained",
    )
    weight_decay: float = Field(ge=0, description="decoupled weight decay; adam ignores it")
    schedule: Literal["constant", "cosine", "plateau"] = Field(
        description="learning rate schedule; plateau: halved when the validation loss stalls"
    )
    warmup_epochs: float = Field(
        ge=0, description="epochs of linear warm-up, included in `epochs` and cut to them"
    )
    early_stopping: int = Field(
        ge=0, description="stop after this many epochs without a lower validation loss; 0: off"
    )
    label_smoothing: float = Field(
        ge=0, lt=1, description="share of a target that is spread over all classes"
    )
    mixup: float = Field(ge=0, description="mixup: alpha of the Beta distribution; 0: off")
    ema: float = Field(
        ge=0, lt=1, description="momentum of the moving average of the weights; 0: off"
    )
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = Field(
        description="precision of computations; mixed_bfloat16 is faster if the hardware has it"
    )
    backend: Literal["tensorflow", "jax", "torch"] = Field(description="backend of Keras")
    devices: int = Field(ge=1, description="devices of the machine that share each batch")
    folds: int = Field(ge=0, le=20, description="folds of an additional cross-validation; 0: none")

    @model_validator(mode="after")
    def _consistent(self) -> "Train":
        if self.devices > 1 and self.backend == "torch":
            raise ValueError(
                f"devices must be 1 with torch, got {self.devices}; use jax or tensorflow"
            )
        if self.folds == 1:
            raise ValueError("folds must be 0 or at least 2, got 1")
        return self


class Range(Section):
    """Values from `low` to `high`, on a linear or, with `log`, on a logarithmic scale."""

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> "Range":
        if not self.low < self.high:
            raise ValueError(f"low must be below high, got {self.low:g} and {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"low must be above 0 on a logarithmic scale, got {self.low:g}")
        return self


class Choices(Section):
    """Values to choose from."""

    choices: tuple[str | int | float, ...] = Field(min_length=1)


def _kind_of_search(values: object) -> str:
    # A mapping when it is read, one of both classes when it is dumped.
    chosen = "choices" in values if isinstance(values, Mapping) else isinstance(values, Choices)
    return "Choices" if chosen else "Range"


# Distinguished by a key, so that an error message is about one class.
Searched = Annotated[
    Annotated[Range, Tag("Range")] | Annotated[Choices, Tag("Choices")],
    Discriminator(_kind_of_search),
]


class Search(Section):
    """The search space; keys are those of the sections `model`, `train` and `augment`."""

    model: dict[str, Searched] = Field(
        description="`low` and `high`, or `choices`, for keys of `model`"
    )
    train: dict[str, Searched] = Field(description="the same for keys of `train`")
    augment: dict[str, Searched] = Field(description="the same for keys of `augment`")

    @model_validator(mode="after")
    def _known(self) -> "Search":
        for name, section in SEARCHED.items():
            for key, values in getattr(self, name).items():
                if key not in section:
                    known = ", ".join(section)
                    raise ValueError(f"{name}.{key} cannot be searched; one of {known}")
                ends = values.choices if isinstance(values, Choices) else (values.low, values.high)
                for end in ends:
                    _check_value(KINDS[name], key, end, f"{name}.{key}")
        return self


KINDS: dict[str, type[Section]] = {"model": Model, "train": Train, "augment": Augment}
SEARCHED = {
    "model": ("width", "dropout", "depth", "kernel", "dense", "attention"),
    "train": (
        "batch_size",
        "optimizer",
        "learning_rate",
        "weight_decay",
        "schedule",
        "label_smoothing",
        "mixup",
        "ema",
    ),
    "augment": ("strength",),
}


def _check_value(kind: type[Section], key: str, value: object, name: str) -> None:
    """Raise a ValueError unless the value is valid for the section's field."""
    field = kind.model_fields[key]
    bounded: Any = Annotated[field.annotation, field]
    try:
        TypeAdapter(bounded).validate_python(value)
    except ValidationError as error:
        raise ValueError(f"{name}: {error.errors()[0]['msg']}, got {value!r}") from error


def different(section: "Tune | Distill") -> Any:
    """Return the section; raise a ValueError if an architecture is named twice."""
    twice = {arch for arch in section.archs if section.archs.count(arch) > 1}
    if twice:
        raise ValueError(f"archs must be different, got {', '.join(sorted(twice))} twice")
    return section


class Tune(Section):
    """A study per architecture: short trainings, then the best and the start in full."""

    archs: tuple[Annotated[str, AfterValidator(known)], ...] = Field(
        description="architectures to tune; may be empty"
    )
    trials: int = Field(
        ge=1, description="trials per study; the first uses the values of this file"
    )
    minutes: float | None = Field(
        gt=0, description="start no trial after this time; not reproducible"
    )
    epochs: int = Field(ge=1, description="epochs per trial")
    fraction: float = Field(
        gt=0, le=1, description="fraction of the training images used in a trial"
    )
    sampler: Literal["tpe", "gp", "random", "grid", "nsga2", "cmaes"] = Field(
        description="Optuna's method to propose the values of a trial"
    )
    pruner: Literal["hyperband", "median", "none"] = Field(
        description="Optuna's method to stop poor trials early"
    )
    metric: Literal["macro_f1", "accuracy", "roc_auc", "log_loss"] = Field(
        description="score on validation by which trials are judged"
    )
    model: Options
    search: Search
    storage: str | None = Field(
        pattern=r"^postgresql(\+psycopg)?://",
        description="PostgreSQL URL of a study that many workers share",
    )

    _different = model_validator(mode="after")(different)


class Ensemble(Section):
    """The combination of the models."""

    members: tuple[str, ...] = Field(
        description="names of models to combine; empty: all, without students"
    )
    method: Literal["auto", "mean", "weighted", "vote", "greedy", "stacking"] = Field(
        description="auto: the one with the best cross-fitted macro-F1 on validation"
    )


class Distill(Section):
    """Students: networks trained as in `train` on the predictions of the ensemble."""

    archs: tuple[Annotated[str, AfterValidator(known)], ...] = Field(
        description="architectures of the students; may be empty"
    )
    width: float = Field(gt=0, le=8, description="`model.width` of the students")
    share: float = Field(
        ge=0, le=1, description="weight of the ensemble in the targets; the rest are the labels"
    )

    _different = model_validator(mode="after")(different)


class Evaluate(Section):
    """Scores on the test split, and the choice of the champion."""

    tta: Literal["none", "flip", "crop"] = Field(
        description="test-time augmentation: flip (mirror images) or crop (also at five positions)"
    )
    multiply_adds: float | None = Field(
        gt=0,
        description="maximum multiply-adds of the champion per face, in millions; empty: no limit",
    )


class Ci(Section):
    """Limits for pull requests; no stage uses them."""

    tolerance: Fraction | None = Field(
        description="largest allowed drop of the champion's macro-F1 on validation; empty: no limit"
    )


class Params(Section):
    """The content of params.yaml."""

    seed: int = Field(ge=0, lt=2**32, description="seed of all random draws")
    data: Data
    audit: Audit
    augment: Augment
    model: Model
    train: Train
    tune: Tune
    ensemble: Ensemble
    distill: Distill
    evaluate: Evaluate
    ci: Ci
    tensorboard: bool = Field(description="also write the epochs to .mien/tensorboard")

    @model_validator(mode="after")
    def _members_are_trained(self) -> "Params":
        trained = ["train", *(f"tune_{arch}" for arch in self.tune.archs)]
        for name in self.ensemble.members:
            if name not in trained:
                raise ValueError(
                    f"ensemble.members: {name!r} is no model, one of {', '.join(trained)}; change "
                    "it, or add its architecture to tune.archs"
                )
        return self


def load(path: Path = Path("params.yaml")) -> Params:
    """Return the params in the file at `path`.

    Raises:
        ParamError: see `read`.
    """
    return read(path, Params, ParamError)


def require_source(params: Params) -> None:
    """Look whether the data source is there: DVC's own line about it does not name the param.

    Raises:
        ParamError: it is not.
    """
    if not params.data.url and not Path(params.data.source).exists():
        raise ParamError(
            f"data.source: {params.data.source} does not exist; name a folder, an archive or a "
            "table, or set data.url"
        )


def read(path: Path, kind: type[Kind], refused: type[MienError]) -> Kind:
    """Return the content of the YAML file at `path` as a `kind`.

    Raises:
        MienError: of the class `refused`: the file is missing or not YAML, or has an unknown key, a
            missing key, or an invalid value; the first mistake is named.
    """
    # DVC's own loader: PyYAML would read 1e-5 as a string.
    from dvc.utils.serialize import load_yaml

    try:
        values = load_yaml(path)
    except Exception as error:
        raise refused(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        fault = error.errors()[0]
        # What concerns two sections names its key in the message.
        key = f"{'.'.join(map(str, fault['loc']))[:200]}: " if fault["loc"] else ""
        told = fault["type"] not in ("missing", "value_error")
        got = f", got {_shown(fault['input'])}" if told else ""
        message = fault["msg"].removeprefix("Value error, ")
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        # Without `error` as cause, whose text could contain a password.
        raise refused(f"{path}: {key}{message}{got}{more}") from None


def _shown(value: object) -> str:
    """Return an invalid value as short text without passwords."""
    if isinstance(value, (Mapping, list)):
        # YAML's references can turn a few lines into a gigabyte of text.
        return "a mapping" if isinstance(value, Mapping) else "a list"
    if isinstance(value, int) and value.bit_length() > 64:
        return "a number of more than 64 bits"
    text = repr(masked(value) if isinstance(value, str) else value)
    return text if len(text) <= 100 else f"{text[:100]}…"
