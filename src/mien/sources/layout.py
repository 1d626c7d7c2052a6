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

# Maximum length of a class name: it is used in columns, file names and MLflow's tags.
LABEL = 100
IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def is_hidden(path: PurePosixPath) -> bool:
    """Return whether a part of `path` is hidden or was added to the archive by macOS."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def is_image(path: PurePosixPath) -> bool:
    """Return whether `path` has the name of a picture.

    Only the name counts, so that an unreadable picture becomes a finding of the audit.
    """
    return path.suffix.lower() in IMAGES


def split_of(folders: Sequence[str]) -> str | None:
    """Return the split of the innermost folder that is named like one; None without such a folder.

    Only whole names count: `test_images` is not a split. The result is a value of SPLITS.
    """
    named = [SPLITS[name] for folder in folders if (name := folder.strip().lower()) in SPLITS]
    return named[-1] if named else None


def place(folders: Sequence[str], name: str) -> tuple[str, str | None]:
    """Return the class and the split of the picture `name` inside `folders`, outermost first.

    The innermost folder that is not named like a split is the class, so SPLIT/CLASS, CLASS/SPLIT
    and CLASS alone are all understood; further folders around them are ignored.

    Raises:
        SourceError: no folder names the class, or its name is empty, too long or unprintable.
    """
    classes = [folder for folder in folders if folder.strip().lower() not in SPLITS]
    if not classes:
        raise SourceError(
            f"{name!r} has no class: expected a folder named after its class around it, such as "
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
    """Return the folders around the content of an archive or table at `path`.

    Its own name is included if it is that of a split, such as `train.zip`.
    """
    stem = path.name.split(".")[0]
    own = (stem,) if stem.strip().lower() in SPLITS else ()
    return (*path.parts[:-1], *own)
