"""Items: the pictures of a source, listed first and read one by one in the order of their names."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """One picture with its class and split, as given by its place in the source.

    Attributes:
        name: unique within the source; a posix path, for a table `FILE.csv:ROW` with ROW the
            1-based data row.
        label: canonical class, lower case.
        split: `train`, `validation` or `test`; None if the source has no splits.
        data: unchanged bytes of an image file, possibly unreadable.
    """

    name: str
    label: str
    split: str | None
    data: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture that was found but is not read yet.

    Attributes:
        name: as in Item.
        label: as in Item.
        split: as in Item, or `publictest` or `privatetest`, whose meaning depends on the source.
        read: returns the bytes of the image file.
    """

    name: str
    label: str
    split: str | None
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Ignored:
    """A file in the source that is not a picture."""

    name: str


@dataclass(frozen=True)
class Source:
    """The pictures of a source.

    Attributes:
        entries: sorted by name, names unique, splits canonical.
        ignored: sorted names of the files that are not pictures.
    """

    entries: Sequence[Entry]
    ignored: Sequence[str]

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.entries)

    def __iter__(self) -> Iterator[Item]:
        """Read the pictures one by one, in the order of their names."""
        for entry in self.entries:
            yield Item(entry.name, entry.label, entry.split, entry.read())


def examples(names: Sequence[str]) -> str:
    """Return the first three names, and how many more there are.

    >>> examples(["a.txt", "b.txt", "c.txt", "d.txt"])
    "'a.txt', 'b.txt', 'c.txt' and 1 more"
    """
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(map(repr, names[:3])) + more
