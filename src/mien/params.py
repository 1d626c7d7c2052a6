"""The one reading of params.yaml: typed, bounded, every fault named in one line."""

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
# Stands for an empty learning rate: one that was never replaced ends the training at once.
DEFAULT_RATE = math.inf


def ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    """Return (low, high) if they are in order; a ValueError if not."""
    if bounds[0] > bounds[1]:
        raise ValueError(f"must be [low, high], got [{bounds[0]:g}, {bounds[1]:g}]")
    return bounds


Bounds = Annotated[tuple[float, float], AfterValidator(ordered)]
Kind = TypeVar("Kind", bound=BaseModel)


class Section(BaseModel):
    """A part of a settings file: every key known, none changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _yes_is_no_number(cls, values: Any) -> Any:
        # Python's True is 1, so that `epochs: yes` would be one epoch.
        for key, value in values.items() if isinstance(values, Mapping) else ():
            field = cls.model_fields.get(key)
            if isinstance(value, bool) and field and field.annotation is not bool:
                raise ValueError(f"{key} takes no yes or no, got {str(value).lower()}")
        return values


class Split(Section):
    """Fractions of the images in each split; they sum to one."""

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
    """Where the faces come from, which classes are kept, how they are split."""

    source: str = Field(
        min_length=1, description="folder, zip, tar, CSV, or a folder holding several of these"
    )
    url: str | None = Field(description="http(s), s3, gs or Google Drive; replaces `source`")
    sha256: str | None = Field(
        pattern="^[0-9a-f]{64}$", description="expected hash of the download"
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
        description="the source has whole photos: find the face in each; false: it has faces"
    )
    split: Split = Field(description="fractions for the splits that the source lacks")
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
    """What happens to each finding; of duplicates, `drop` keeps one copy."""

    colour: Action = Field(description="channels that differ")
    resized: Action = Field(description="another size than `data.image_size`")
    blank: Action = Field(description="one grey level")
    dark: Action = Field(description="under `audit.dark`")
    bright: Action = Field(description="over `audit.bright`")
    blurred: Action = Field(description="under `audit.blurred`")
    exact_duplicates: Action = Field(description="equal pixels: drop all copies but one")
    near_duplicates: Action = Field(description="almost equal: drop all copies but one")
    label_conflicts: Action = Field(description="duplicates whose labels disagree: drop all copies")


class Labels(Section):
    """The search for wrong labels in the train split, by cross-validation."""

    action: Literal["none", "list"] = Field(
        description="list: train nets that judge the labels, and list the suspects"
    )
    arch: Annotated[str, AfterValidator(known)] = Field(description="of the nets that judge")
    folds: int = Field(ge=2, le=20, description="each image is judged by a net of the others")
    epochs: int = Field(ge=2, description="of each fold's training")


class Audit(Section):
    """Thresholds of the findings, in grey levels 0 to 255 after resizing."""

    dark: float = Field(ge=0, le=255, description="dark: mean grey below this")
    bright: float = Field(ge=0, le=255, description="bright: mean grey above this")
    blurred: float = Field(ge=0, description="blurred: variance of the Laplacian below this")
    near_distance: int = Field(ge=0, le=64, description="near-duplicate: hash bits that may differ")
    policy: Policy
    labels: Labels


class Operation(Section):
    """One augmentation: applied with `probability`, its strength uniform in `range`."""

    probability: Fraction
    range: Bounds


class Flip(Section):
    """Horizontal mirroring."""

    probability: Fraction


class Augment(Section):
    """Variations of the training images, drawn once per copy and anew in every epoch."""

    copies: int = Field(ge=0, le=20, description="varied copies written for each training image")
    balance: Literal["none", "mirror"] = Field(
        description="fill the smaller classes with mirrored images"
    )
    each_epoch: bool = Field(description="vary the images anew in every epoch of training")
    strength: float = Field(ge=0, le=3, description="factor on how far the operations go")
    flip: Flip = Field(description="horizontal mirroring")
    brightness: Operation = Field(description="factor on the grey levels")
    rotation: Operation = Field(description="degrees, anticlockwise")
    shear: Operation = Field(description="horizontal shear, tangent of the angle")
    shift: Operation = Field(description="fraction of the side, drawn for x and y apart")
    zoom: Operation = Field(description="factor on the size")
    erase: Operation = Field(description="fraction of the area under a random rectangle")
    blur: Operation = Field(description="sigma of a Gaussian, fraction of the side")
    noise: Operation = Field(description="standard deviation of Gaussian noise, grey levels")


class Model(Section):
    """The network."""

    arch: Annotated[str, AfterValidator(known)] = Field(description="name in the registry")
    width: float = Field(gt=0, le=8, description="factor on channels and dense units")
    # null: the architecture's own.
    dropout: float | None = Field(ge=0, lt=1, description="before the last layer; often elsewhere")
    depth: int | None = Field(ge=1, le=8, description="blocks, or layers in each block")
    kernel: int | None = Field(ge=1, le=15, description="side of the kernels, or of the first")
    dense: int | None = Field(ge=1, le=8192, description="units of the hidden dense layer")
    attention: Literal["none", "se", "cbam", "self"] | None = Field(
        description="after each stage; empty: the architecture's own"
    )
    side: int | None = Field(
        ge=16,
        le=512,
        description="to which a transfer net resizes faces; empty: theirs, from trained weights 96",
    )
    weights: str = Field(
        description="start: none, imagenet, faces, a weights file, or a trained model's folder"
    )
    unfreeze: int | None = Field(
        ge=0, description="layers below the head that learn after it; empty: all, and further"
    )

    @model_validator(mode="after")
    def _consistent(self) -> "Model":
        if self.unfreeze and self.weights == "none":
            raise ValueError(
                f"unfreeze is for trained weights, got {self.unfreeze} with weights none, where "
                "every layer learns from the start"
            )
        return self


class Train(Section):
    """One training run."""

    epochs: int = Field(ge=1, description="times that every image is learnt from")
    batch_size: int = Field(ge=1, description="images in a step")
    optimizer: Literal["adam", "adamw", "muon", "sgd"] = Field(
        description="sgd: Nesterov momentum 0.9; muon: kernels' steps made orthogonal, AdamW else"
    )
    learning_rate: Annotated[
        float, BeforeValidator(lambda rate: DEFAULT_RATE if rate is None else rate)
    ] = Field(
        gt=0,
        allow_inf_nan=True,
        description="empty: the architecture's own, for muon five times that",
    )
    trunk_rate: float = Field(
        gt=0, le=1, description="factor on the rate of trained weights, where all layers learn"
    )
    weight_decay: float = Field(ge=0, description="of all but adam, which ignores it")
    schedule: Literal["constant", "cosine", "plateau"] = Field(
        description="of the learning rate; plateau: halved whenever validation stalls"
    )
    warmup_epochs: float = Field(ge=0, description="linear warm-up, part of `epochs`")
    early_stopping: int = Field(ge=0, description="epochs without a better validation; 0: off")
    label_smoothing: float = Field(ge=0, lt=1, description="of a target spread over all classes")
    mixup: float = Field(ge=0, description="alpha of the Beta distribution; 0: off")
    ema: float = Field(ge=0, lt=1, description="momentum of the weights' moving average; 0: off")
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = Field(
        description="of the arithmetic; mixed_bfloat16 is faster where the processor has it"
    )
    backend: Literal["tensorflow", "jax", "torch"] = Field(description="of Keras")
    devices: int = Field(ge=1, description="of the machine, that share each batch evenly")
    folds: int = Field(ge=0, le=20, description="cross-validation folds; 0: none")

    @model_validator(mode="after")
    def _consistent(self) -> "Train":
        if self.devices > 1 and self.backend == "torch":
            raise ValueError(
                f"devices must be 1 with torch, got {self.devices}; use jax or tensorflow"
            )
        if self.folds == 1:
            raise ValueError("folds must be 0 or at least 2, got 1")
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs must be below epochs ({self.epochs}), got {self.warmup_epochs:g}"
            )
        return self


class Range(Section):
    """Values from `low` to `high`, even between them or, with `log`, in their logarithm."""

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
    # A mapping when it is read, one of both kinds when it is dumped.
    chosen = "choices" in values if isinstance(values, Mapping) else isinstance(values, Choices)
    return "Choices" if chosen else "Range"


# Told apart by a key, so that a fault is that of one kind.
Searched = Annotated[
    Annotated[Range, Tag("Range")] | Annotated[Choices, Tag("Choices")],
    Discriminator(_kind_of_search),
]


class Search(Section):
    """What a study may change, each key one of the section's; `model` only as a net takes it."""

    model: dict[str, Searched] = Field(description="`low` and `high`, or `choices`")
    train: dict[str, Searched] = Field(description="likewise")
    augment: dict[str, Searched] = Field(description="likewise")

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
    """Raise a ValueError unless the section's field takes the value."""
    field = kind.model_fields[key]
    bounded: Any = Annotated[field.annotation, field]
    try:
        TypeAdapter(bounded).validate_python(value)
    except ValidationError as error:
        raise ValueError(f"{name}: {error.errors()[0]['msg']}, got {value!r}") from error


def different(section: "Tune | Distill") -> Any:
    """Return the section if no architecture is named twice; a ValueError if one is."""
    twice = {arch for arch in section.archs if section.archs.count(arch) > 1}
    if twice:
        raise ValueError(f"archs must be different, got {', '.join(sorted(twice))} twice")
    return section


class Tune(Section):
    """A study for each architecture: short trainings, then the best at full length."""

    archs: tuple[Annotated[str, AfterValidator(known)], ...] = Field(
        description="architectures with a study; may be empty"
    )
    trials: int = Field(ge=1, description="trials of a study, the first with this file's values")
    minutes: float | None = Field(gt=0, description="no new trial after these; then not repeatable")
    epochs: int = Field(ge=1, description="epochs of a trial")
    fraction: float = Field(gt=0, le=1, description="share of the training images in a trial")
    sampler: Literal["tpe", "gp", "random", "grid", "nsga2", "cmaes"] = Field(
        description="how Optuna chooses a trial's values"
    )
    pruner: Literal["hyperband", "median", "none"] = Field(
        description="how Optuna stops a poor trial early"
    )
    metric: Literal["macro_f1", "accuracy", "roc_auc", "log_loss"] = Field(
        description="on validation, after a trial's last epoch"
    )
    search: Search
    storage: str | None = Field(
        pattern=r"^postgresql(\+psycopg)?://", description="URL of PostgreSQL, for many workers"
    )

    _different = model_validator(mode="after")(different)


class Ensemble(Section):
    """What the models say together."""

    members: tuple[str, ...] = Field(description="names of models; empty: all")
    method: Literal["auto", "mean", "weighted", "vote", "greedy", "stacking"] = Field(
        description="auto: the best on validation, out of fold"
    )


class Distill(Section):
    """Students: nets trained as in `train` on what the ensemble says of the training images."""

    archs: tuple[Annotated[str, AfterValidator(known)], ...] = Field(
        description="architectures of the students; may be empty"
    )
    width: float = Field(gt=0, le=8, description="the students' `model.width`")
    share: float = Field(ge=0, le=1, description="of the ensemble in the targets, else the labels")

    _different = model_validator(mode="after")(different)


class Evaluate(Section):
    """How the test split is scored."""

    tta: Literal["none", "flip", "crop"] = Field(
        description="average over mirror images, or over these and five shifts"
    )
    multiply_adds: float | None = Field(
        gt=0, description="millions that the champion may take for a face; empty: any number"
    )


class Ci(Section):
    """What a pull request has to keep; no stage reads it."""

    tolerance: Fraction | None = Field(
        description="most that the champion's macro-F1 on validation may fall; empty: any"
    )


class Params(Section):
    """All of params.yaml."""

    seed: int = Field(ge=0, lt=2**32, description="all that is random follows from it")
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
    tensorboard: bool = Field(description="write the epochs to .mien/tensorboard too")


def load(path: Path = Path("params.yaml")) -> Params:
    """Return the params in the file at `path`.

    Raises:
        ParamError: see `read`.
    """
    return read(path, Params, ParamError)


def read(path: Path, kind: type[Kind], refused: type[MienError]) -> Kind:
    """Return the content of the YAML file at `path` as a `kind`.

    Raises:
        MienError: as `refused`: the file is missing, is no YAML, or holds an unknown key, lacks
            one, or has a value outside its type or range; the first fault is named.
    """
    # DVC's own loader: PyYAML would read 1e-5 as text.
    from dvc.utils.serialize import load_yaml

    try:
        values = load_yaml(path)
    except Exception as error:
        raise refused(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(map(str, fault["loc"])) or "the file"
        told = fault["type"] not in ("missing", "value_error")
        got = f", got {_shown(fault['input'])}" if told else ""
        message = fault["msg"].removeprefix("Value error, ")
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        # Not from the error, whose own text would show a password.
        raise refused(f"{path}: {key[:200]}: {message}{got}{more}") from None


def _shown(value: object) -> str:
    """Return a refused value as short text without passwords."""
    if isinstance(value, (Mapping, list)):
        # YAML's references can make a few lines a gigabyte of text.
        return "a mapping" if isinstance(value, Mapping) else "a list"
    if isinstance(value, int) and value.bit_length() > 64:
        return "a number of more than 64 bits"
    text = repr(masked(value) if isinstance(value, str) else value)
    return text if len(text) <= 100 else f"{text[:100]}…"
