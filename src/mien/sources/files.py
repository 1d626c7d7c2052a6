"""Files of a source, whether they lie in a folder, in an archive or in an archive in these."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import PurePosixPath
from typing import IO

from mien.crops.formats import PICTURES
from mien.errors import SourceError
from mien.labels import FILLERS, Labels, words

# Characters of the longest class: it names columns, parts of file names and MLflow's tags.
LONGEST_LABEL = 100
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
# Words beside a split in the name of a folder, such as `FER2013Train` or `test_set`.
BESIDE = FILLERS | {"fer", "raf", "affect", "ck", "facial", "files", "tar", "tgz", "zip"}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of the source.

    Attributes:
        path: posix path from the source's root; what an archive holds is named ARCHIVE/MEMBER.
        open: returns its bytes as a stream.
        read: returns its bytes as those of a picture, within the bounds for one.
        suffix: of its name, lower case, with the dot.
    """

    path: str
    open: Callable[[], IO[bytes]]
    read: Callable[[], bytes]
    suffix: str

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of the folders around it; an archive counts as one, without its suffix."""
        return tuple(self.path.split("/")[:-1])

    @property
    def name(self) -> str:
        """Its name without the folders."""
        return self.path.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """Its name without folders and suffix."""
        return PurePosixPath(self.name).stem


@dataclass(frozen=True)
class Files:
    """The files that no reader has taken yet, and what the user says of them."""

    every: tuple[SourceFile, ...]
    labels: Labels
    groups: tuple[str, ...] = ()
    resplit: bool = False

    @cached_property
    def pictures(self) -> tuple[SourceFile, ...]:
        """The files with the name of a picture.

        The name alone decides, so that an unreadable picture still becomes a finding of the audit.
        """
        return tuple(file for file in self.every if file.suffix in PICTURES)

    @cached_property
    def by_path(self) -> dict[str, SourceFile]:
        """All files by their paths."""
        return {file.path: file for file in self.every}

    def named(self, *suffixes: str) -> list[SourceFile]:
        """Return the files whose names end in one of these, lower case, in the order of names."""
        return [file for file in self.every if file.name.lower().endswith(suffixes)]

    def without(self, taken: Iterable[str]) -> "Files":
        """Return the files but those at the paths `taken`."""
        gone = set(taken)
        left = tuple(file for file in self.every if file.path not in gone)
        return Files(left, self.labels, self.groups, self.resplit)


def split_of(name: str) -> str | None:
    """Return the split that the name of a folder stands for: a value of SPLITS; None without one.

    >>> split_of("Training_data"), split_of("FER2013Test"), split_of("test images old")
    ('train', 'test', None)
    """
    plain = name.strip().lower()
    if plain in SPLITS:
        return SPLITS[plain]
    left = [word for word in words(name) if word not in BESIDE]
    return SPLITS.get(left[0]) if len(left) == 1 else None


def like_a_split(name: str) -> bool:
    """Tell whether the name of a folder speaks of a split without being the name of one."""
    return split_of(name) is None and any(word in SPLITS for word in words(name))


def near_a_split(name: str) -> bool:
    """Tell whether a word in the name of a folder is spelt nearly as one for a split.

    >>> near_a_split("valing_data"), near_a_split("persons")
    (True, False)
    """
    return any(get_close_matches(word, SPLITS, 1, 0.7) for word in words(name) if len(word) > 3)


def innermost_split(folders: Iterable[str]) -> str | None:
    """Return the split that the innermost folder named like one stands for, None without one."""
    found = [split for folder in folders if (split := split_of(folder))]
    return found[-1] if found else None


def checked_label(label: str, where: str) -> str:
    """Return the class once it can be shown and used as a name.

    Raises:
        SourceError: it is empty, too long or not printable.
    """
    if not (label and label.isprintable() and len(label) <= LONGEST_LABEL):
        raise SourceError(
            f"{where[:200]!r}: the class {label[:40]!r} is empty, longer than {LONGEST_LABEL} "
            "characters or holds some that cannot be printed; rename it"
        )
    return label


def unknown_codes(where: str, codes: Iterable[str]) -> SourceError:
    """Return the error for labels whose meaning only the user knows."""
    found = sorted(set(codes))
    some = ", ".join(repr(code[:20]) for code in found[:8])
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    return SourceError(
        f"{where}: the labels {some}{more} are no known expressions; say what each means in "
        "data.labels, such as -S 'data.labels={1: surprise, 2: fear}' (a class of that name, or "
        "null to leave its images out)"
    )
