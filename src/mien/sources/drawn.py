"""The built-in sample: faces drawn from a recipe, with the faults that real data has."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import cv2
import numpy as np
from pydantic import AfterValidator, Field, model_validator
from tqdm import tqdm

from mien.errors import SourceError
from mien.params import Section, ordered, read
from mien.sources import face
from mien.sources.items import Item

SIZE = 48

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
# Bounded, so that no value in a recipe can overflow a pixel coordinate.
Number = Annotated[float, Field(ge=-1000, le=1000)]
Percent = Annotated[int, Field(ge=0, le=100)]
Label = Annotated[str, Field(pattern="^[a-z][a-z_]*$")]
Range = Annotated[tuple[Number, Number], AfterValidator(ordered)]


def _keys_of(kind: type, complete: bool) -> AfterValidator:
    """Reject keys that are no fields of the dataclass `kind`; if `complete`, require all fields."""
    names = {field.name for field in fields(kind)}

    def check(values: dict[str, Any]) -> dict[str, Any]:
        if unknown := sorted(values.keys() - names):
            raise ValueError(f"unknown key {unknown[0]!r}; one of {', '.join(sorted(names))}")
        if complete and (missing := sorted(names - values.keys())):
            raise ValueError(f"lacks {', '.join(missing)}")
        return values

    return AfterValidator(check)


class Copies(Section):
    """Numbers of pictures that copy another one."""

    same_split: Count
    other_split: Count
    other_label: Count


class Faults(Section):
    """Numbers of pictures with each fault."""

    unreadable: Count
    blank: Count
    dark: Count
    bright: Count
    blurred: Count
    colour: Count
    other_size: Count
    exact_copies: Copies
    near_copies: Copies


class Recipe(Section):
    """The content of recipe.yaml, which explains each key."""

    seed: int = Field(ge=0, lt=2**32)
    splits: dict[Literal["train", "validation", "test"], dict[Label, Count]]
    expressions: dict[
        Label,
        Annotated[
            list[Annotated[dict[str, Number], _keys_of(face.Expression, complete=False)]],
            Field(min_length=1),
        ],
    ]
    intensity: Range
    rest: Annotated[dict[str, Range], _keys_of(face.Expression, complete=True)]
    look: Annotated[dict[str, Range], _keys_of(face.Look, complete=True)]
    extras: Annotated[dict[str, Share], _keys_of(face.Extras, complete=True)]
    jpeg: Share
    quality: Annotated[tuple[Percent, Percent], AfterValidator(ordered)]
    faults: Faults

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for split, counts in self.splits.items():
            if unknown := sorted(counts.keys() - self.expressions.keys()):
                raise ValueError(f"splits.{split}: {unknown[0]!r} is none of the expressions")
        for key, low in (("head_width", 0.1), ("scale", 0.05), ("noise", 0.0)):
            if self.look[key][0] < low:
                raise ValueError(f"look.{key} must be at least {low:g}, got {self.look[key][0]:g}")
        return self


@dataclass(frozen=True)
class _Picture:
    """One planned picture: `seed` draws the face, `original` is the picture it copies."""

    split: str
    label: str
    number: int
    seed: int
    fault: str | None = None
    original: "_Picture | None" = None


def items(folder: Path) -> Iterator[Item]:
    """Yield the pictures of `folder/recipe.yaml`, sorted by name; equal recipes give equal bytes.

    Names are `SPLIT/LABEL/NUMBER.jpg` or `.png`; most pictures are grey, 48 × 48 pixels.

    Raises:
        SourceError: the recipe is missing, is not YAML, has an unknown key or an invalid value,
            or asks for more faults than there are pictures.
    """
    path = folder / "recipe.yaml"
    recipe = read(path, Recipe, SourceError)
    planned = _planned(recipe, path)
    for picture in tqdm(planned, desc="draw", unit=" images", delay=2, disable=None):
        extension, data = _file(picture, recipe)
        name = f"{picture.split}/{picture.label}/{picture.number:04d}{extension}"
        yield Item(name, picture.label, picture.split, data)


def _planned(recipe: Recipe, path: Path) -> list[_Picture]:
    """Return the pictures sorted by name, the faults assigned at random, at most one each."""
    names = [
        (split, label, number)
        for split, counts in sorted(recipe.splits.items())
        for label, count in sorted(counts.items())
        for number in range(1, count + 1)
    ]
    pictures = [_Picture(*name, seed=place) for place, name in enumerate(names)]
    free = np.random.default_rng(recipe.seed).permutation(len(pictures)).tolist()
    faults = recipe.faults.model_dump()
    copies = {kind: faults.pop(kind) for kind in ("exact_copies", "near_copies")}
    try:
        for fault, count in faults.items():
            for _ in range(count):
                place = free.pop()
                pictures[place] = replace(pictures[place], fault=fault)
        for kind, counts in copies.items():
            for relation, count in counts.items():
                for _ in range(count):
                    copy, original = _pair(pictures, free, relation)
                    pictures[copy] = replace(
                        pictures[copy], fault=kind, original=pictures[original]
                    )
    except IndexError:
        raise SourceError(
            f"{path}: faults: more than the {len(pictures)} pictures have room for; "
            "lower them or raise the counts under `splits`"
        ) from None
    return pictures


def _pair(pictures: list[_Picture], free: list[int], relation: str) -> tuple[int, int]:
    """Remove from `free` two pictures in the `relation`; IndexError if there are none."""
    for at in range(len(free) - 1, -1, -1):
        one = pictures[free[at]]
        for other in range(at):
            two = pictures[free[other]]
            if _relation(one, two) == relation:
                return free.pop(at), free.pop(other)
    raise IndexError


def _relation(one: _Picture, two: _Picture) -> str | None:
    if one.split == two.split:
        return "same_split" if one.label == two.label else "other_label"
    return "other_split" if one.label == two.label else None


def _file(picture: _Picture, recipe: Recipe) -> tuple[str, bytes]:
    """Return the picture's extension and bytes."""
    rng = np.random.default_rng((recipe.seed, picture.seed))
    if picture.original:
        extension, data = _file(picture.original, recipe)
        copied = _copied_exactly if picture.fault == "exact_copies" else _copied_nearly
        return copied(extension, data, rng)
    size = int(rng.integers(32, 97)) if picture.fault == "other_size" else SIZE
    image = _spoilt(_drawn(picture.label, recipe, size, rng), picture.fault, rng)
    extension, data = _encoded(image, recipe, rng, lossless=picture.fault == "blank")
    return extension, _broken(data, rng) if picture.fault == "unreadable" else data


def _drawn(label: str, recipe: Recipe, size: int, rng: np.random.Generator) -> np.ndarray:
    """Return one face showing `label`, a different person each time."""
    ways = recipe.expressions[label]
    way = ways[rng.integers(len(ways))]
    intensity = rng.uniform(*recipe.intensity)
    expression = face.Expression(
        **{
            key: rng.uniform(*bounds) + intensity * way.get(key, 0)
            for key, bounds in sorted(recipe.rest.items())
        }
    )
    look = face.Look(**{key: rng.uniform(*bounds) for key, bounds in sorted(recipe.look.items())})
    extras = face.Extras(
        **{key: bool(rng.random() < share) for key, share in sorted(recipe.extras.items())}
    )
    return face.draw(expression, look, extras, size, rng)


def _spoilt(image: np.ndarray, fault: str | None, rng: np.random.Generator) -> np.ndarray:
    """Return `image`, grey, with the given fault, if it is one of the pixels."""
    match fault:
        case "blank":  # With noise of one grey level, so that no two are exact duplicates.
            return (rng.integers(0, 255) + rng.integers(0, 2, image.shape)).astype(np.uint8)
        case "dark":
            return _exposed(image, rng.uniform(6, 18))
        case "bright":
            return 255 - _exposed(255 - image, rng.uniform(4, 14))
        case "blurred":
            return cv2.GaussianBlur(image, (0, 0), rng.uniform(3, 4))
        case "colour":
            tint = np.array([0.7, 0.9, 1.15]) * rng.uniform(0.92, 1.08, 3)
            return np.clip(image[..., None] * tint, 0, 255).astype(np.uint8)
    return image


def _exposed(image: np.ndarray, mean: float) -> np.ndarray:
    """Return `image` with the gamma that lowers its mean to `mean` and keeps the highlights."""
    low, high = float(image.min()), float(image.max())
    shares = (image - low) / max(1, high - low)
    low, high = 0.0, 50.0
    for _ in range(20):  # bisection
        gamma = (low + high) / 2
        low, high = (gamma, high) if (255 * shares**gamma).mean() > mean else (low, gamma)
    return (255 * shares**high).astype(np.uint8)


def _encoded(
    image: np.ndarray, recipe: Recipe, rng: np.random.Generator, lossless: bool
) -> tuple[str, bytes]:
    jpeg, quality = rng.random() < recipe.jpeg, int(rng.integers(*recipe.quality, endpoint=True))
    if jpeg and not lossless:
        return _jpeg(image, quality)
    return _png(image)


def _jpeg(image: np.ndarray, quality: int) -> tuple[str, bytes]:
    return ".jpg", cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _png(image: np.ndarray) -> tuple[str, bytes]:
    return ".png", cv2.imencode(".png", image)[1].tobytes()


def _decoded(data: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image is not None  # noqa: S101 only readable files are copied
    return image


def _broken(data: bytes, rng: np.random.Generator) -> bytes:
    """Return what an aborted transfer, a full disk or a server's error page would leave."""
    ways = (data[: len(data) // 3], b"", rng.bytes(len(data)), b"<html>404 Not Found</html>")
    return ways[rng.integers(len(ways))]


def _copied_exactly(extension: str, data: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """Return the same bytes, or the same pixels encoded differently."""
    return (extension, data) if rng.random() < 0.5 else _png(_decoded(data))


def _copied_nearly(extension: str, data: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """Return the picture compressed again, a little brighter, or without its outermost pixels."""
    image = _decoded(data)
    match rng.integers(3):
        case 1:
            image = cv2.convertScaleAbs(image, alpha=1, beta=float(rng.uniform(4, 12)))
        case 2:
            image = cv2.resize(image[1:-1, 1:-1], image.shape, interpolation=cv2.INTER_LINEAR)
    return _jpeg(image, int(rng.integers(55, 75)))
