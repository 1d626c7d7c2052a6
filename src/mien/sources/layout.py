"""Layout: the class and the split of a picture, read from the folders above it."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from mien.errors import SourceError
from mien.labels import canonical

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "publictest": "publictest",
    "privatetest": "privatetest",
}

# Characters of the longest class: it names columns, files' parts and MLflow's tags.
LABEL = 100
IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def is_hidden(path: PurePosixPath) -> bool:
    """Tell whether a part of `path` is hidden or one that macOS adds to its archives."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def is_image(path: PurePosixPath) -> bool:
    """Tell whether `path` has the name of a picture.

    The name alone decides, so that an unreadable picture still becomes a finding of the audit.
    """
    return path.suffix.lower() in IMAGES


def split_of(folders: Sequence[str]) -> str | None:
    """Return the split that the innermost folder named like one stands for, None without one.

    Only whole names count: `test_images` is no split. The result is a value of SPLITS.
    """
    named = [SPLITS[name] for folder in folders if (name := folder.strip().lower()) in SPLITS]
    return named[-1] if named else None


def place(folders: Sequence[str], name: str) -> tuple[str, str | None]:
    """Return the class and the split of the picture `name` inside `folders`, outermost first.

    The innermost folder that is not named like a split is the class, so SPLIT/CLASS, CLASS/SPLIT
    and CLASS alone are all understood, and folders around them do not matter.

    Raises:
        SourceError: no folder names the class, or its name cannot be shown.
    """
    classes = [folder for folder in folders if folder.strip().lower() not in SPLITS]
    if not classes:
        raise SourceError(
            f"{name!r} has no class: expected a folder named by its class around it, such as "
            f"train/happy/1.jpg, got {'/'.join(folders) or 'no folder'}; move it or remove it"
        )
    label = canonical(classes[-1])
    if not (label and label.isprintable() and len(label) <= LABEL):
        raise SourceError(
            f"{name[:200]!r}: the class {label[:40]!r} is empty, longer than {LABEL} characters or "
            "holds some that cannot be printed; rename its folder"
        )
    return label, split_of(folders)


def around(path: PurePosixPath) -> tuple[str, ...]:
    """Return the folders that place what an archive or table at `path` in a folder holds.

    Its own name counts where it is a split's: `train.zip` beside `test.zip`.
    """
    stem = path.name.split(".")[0]
    own = (stem,) if stem.strip().lower() in SPLITS else ()
    return (*path.parts[:-1], *own)
