"""Class folders: a picture's class, split and person, read from the folders around it.

`train/happy/1.jpg`, `happy/train/1.jpg`, `happy/1.jpg`, `happy/S001/1.jpg`, `S001/happy/1.jpg`,
`train/happy/images/1.jpg` and `any/wrapping/folders/train/0_happy/1.jpg` are all understood.
"""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

from mien.errors import SourceError
from mien.labels import FILLERS, canonical, words
from mien.sources.files import (
    Files,
    SourceFile,
    checked_label,
    innermost_split,
    like_a_split,
    near_a_split,
    split_of,
)
from mien.sources.items import Entry, Reading

NAME = "class folders"
# Folders that stand for a person, such as S001, subject_12 or actor-3.
PERSON = re.compile(r"(s|sub|subj|subject|p|person|id|user|actor|participant)[-_ ]?\d+", re.I)
# CK+48 and CK+ name their pictures SUBJECT_SEQUENCE_FRAME.
CK_SUBJECT = re.compile(r"(S\d{3})_\d{3}_\d{8}")


@dataclass(frozen=True)
class Place:
    """What the folders around a picture say.

    Attributes:
        label: as the folder is called; None: no folder is named like a class.
        at: where the class stands among the folders.
        split: of the innermost folder named like one, a value of `files.SPLITS`.
        part: the folders around class and split.
    """

    label: str | None
    at: int
    split: str | None
    part: str


def recognises(files: Files) -> bool:
    """Tell whether a folder around a picture is named like a class."""
    folders = {file.folders for file in files.pictures}
    return any(place(found, files).label is not None for found in folders)


def read(files: Files) -> Reading:
    """Return the pictures in class folders; those beside them, without a class, are left out.

    Raises:
        SourceError: a folder beside the classes is no known class, a path names two classes, or a
            folder looks like a split but is none.
    """
    places = {folders: place(folders, files) for folders in {f.folders for f in files.pictures}}
    _refuse_unknown_classes(files, places)
    _refuse_odd_splits(files, places)
    people = _people(places)
    reading = Reading()
    for file in files.pictures:
        found = places[file.folders]
        reading.taken.append(file.path)
        if found.label is None:
            kind = "pictures without a class folder"
            kind += f" in {found.split}" if found.split else ""
            reading.left_out[kind].append(file.path)
            continue
        label = files.labels.of(found.label)
        if label is None:
            reading.left_out[f"pictures of {found.label}, as data.labels says"].append(file.path)
            continue
        label = checked_label(label, file.path)
        subject = _subject(file, found, people)
        reading.entries.append(Entry(file.path, label, found.split, file.read, found.part, subject))
    return reading


def place(folders: tuple[str, ...], files: Files) -> Place:
    """Return what the folders say, outermost first.

    Raises:
        SourceError: two of them name different classes.
    """
    named = [
        (at, label) for at, name in enumerate(folders) if (label := files.labels.in_name(name))
    ]
    if len({canonical(label) for _, label in named}) > 1:
        both = " and ".join(repr(label) for _, label in named[:2])
        raise SourceError(
            f"{'/'.join(folders)}: the folders name two classes, {both}; rename one, or say in "
            "data.labels what each stands for"
        )
    splits = [at for at, name in enumerate(folders) if split_of(name)]
    at, label = named[0] if named else (len(folders), None)
    part = "/".join(folders[: min([at, *splits])])
    return Place(label, at, innermost_split(folders), part)


def _refuse_unknown_classes(files: Files, places: dict[tuple[str, ...], Place]) -> None:
    """Refuse folders that stand where classes stand, but are none, unless data.classes is set."""
    if files.labels.classes:
        return
    above = {folders[: found.at] for folders, found in places.items() if found.label}
    counts: Counter[str] = Counter()
    for file in files.pictures:
        folders = file.folders
        if places[folders].label is None:
            for at in range(len(folders)):
                if folders[:at] in above and not _says_nothing(folders[at]):
                    counts["/".join(folders[: at + 1])] += 1
                    break
    if counts:
        path, count = counts.most_common(1)[0]
        # A name may be as long as a member of an archive likes.
        name = path.rpartition("/")[2][:40]
        others = f" ({len(counts) - 1} more such folders)" if len(counts) > 1 else ""
        raise SourceError(
            f"{path[:200]} stands beside folders of expressions and is no known one; it holds "
            f"{count:,} of the pictures{others}: say what it is in data.labels ('{name}: null' "
            f"leaves it out, '{name}: {canonical(name)}' makes it a class), or name the classes in "
            "data.classes"
        )


def _refuse_odd_splits(files: Files, places: dict[tuple[str, ...], Place]) -> None:
    """Refuse a folder that looks like a split and is none, where it could change the splits."""
    if files.resplit:
        return
    odd = defaultdict(set)
    # The folders in which there are splits.
    parents = {
        folders[:at] for folders in places for at, name in enumerate(folders) if split_of(name)
    }
    for folders, found in places.items():
        if found.label and found.split is None:
            for at, name in enumerate(folders[: found.at]):
                if like_a_split(name) or (folders[:at] in parents and near_a_split(name)):
                    odd[folders[: at + 1]].add(folders)
    count = sum(found.label is not None for found in places.values())
    for folders, inside in sorted(odd.items()):
        # One folder around everything tells nothing about splits.
        if len(inside) < count:
            raise SourceError(
                f"{'/'.join(folders)} looks like a split and is none: expected a name such as "
                "train, validation or test; rename it, or set data.resplit: true to make new splits"
            )


def _says_nothing(name: str) -> bool:
    spoken = words(name)
    filled = bool(spoken) and all(word in FILLERS for word in spoken)
    return filled or split_of(name) is not None or like_a_split(name)


def _people(places: dict[tuple[str, ...], Place]) -> set[str]:
    """Return names of folders inside classes that come back in several of them: people."""
    classes = defaultdict(set)
    for folders, found in places.items():
        if found.label is not None:
            for name in folders[found.at + 1 :]:
                if not _says_nothing(name):
                    classes[name].add(canonical(found.label))
    return {name for name, labels in classes.items() if len(labels) > 1}


def _subject(file: SourceFile, found: Place, people: set[str]) -> str | None:
    if named := CK_SUBJECT.match(file.name):
        return f"{found.part}/{named[1]}"
    for at, name in enumerate(file.folders):
        if at != found.at and (PERSON.fullmatch(name) or (at > found.at and name in people)):
            return f"{found.part}/{name}"
    return None
