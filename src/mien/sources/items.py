"""Items: the pictures of a source, listed first and read one by one in the order of their names."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture that was found but is not read yet.

    Attributes:
        name: unique within the source; a posix path, for a table `FILE.csv:ROW` with ROW the
            1-based data row.
        label: class, lower case.
        split: `train`, `validation` or `test`; None where the source does not say.
        read: returns the bytes of an image file, untouched and possibly unreadable.
        part: the set that it belongs to, where a source holds several; splits that a set lacks
            are made for it apart.
        subject: the person shown; None: not known.
        groups: value of each column that `data.groups` names, such as `gender`.
        votes: people's votes for each class, of FER+.
    """

    name: str
    label: str
    split: str | None
    read: Callable[[], bytes]
    part: str = ""
    subject: str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    votes: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """An entry that was read: `data` are the bytes of its image file."""

    name: str
    label: str
    split: str | None
    data: bytes
    part: str = ""
    subject: str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    votes: Mapping[str, int] | None = None


@dataclass
class Reading:
    """What a reader made of the files.

    Attributes:
        entries: the pictures.
        taken: paths of all files that it explains.
        left_out: paths of those that it leaves out, by the reason.
    """

    entries: list[Entry] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True)
class Source:
    """The pictures of a source.

    Attributes:
        entries: sorted by name, names unique, splits canonical.
        forms: what the source was read as, one or several, such as `class folders`.
        left_out: names of what was left out, sorted, by the reason.
    """

    entries: Sequence[Entry]
    forms: Sequence[str]
    left_out: Mapping[str, Sequence[str]]

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.entries)

    def __iter__(self) -> Iterator[Item]:
        """Read the pictures one by one, in the order of their names."""
        for one in self.entries:
            extras = one.part, one.subject, one.groups, one.votes
            yield Item(one.name, one.label, one.split, one.read(), *extras)


def examples(names: Sequence[str]) -> str:
    """Return the first three names, and how many more there are.

    >>> examples(["a.txt", "b.txt", "c.txt", "d.txt"])
    "'a.txt', 'b.txt', 'c.txt' and 1 more"
    """
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(map(repr, names[:3])) + more
