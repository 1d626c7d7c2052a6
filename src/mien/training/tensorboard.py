"""The course of a training as TensorBoard shows it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

# What is written reaches the disk within so many seconds.
FLUSH_S = 5
History = Sequence[Mapping[str, float]]


@contextmanager
def tensorboard(folder: Path | None) -> Iterator[Callable[[History], None]]:
    """Yield what writes the epochs of a history into `folder`, or nothing for None.

    It is called with all epochs so far and writes those that are new. A training that is
    resumed, or begun anew, writes all of its epochs, and TensorBoard drops those it had before.
    """
    if folder is None:
        yield lambda history: None
        return
    from tensorboardX import SummaryWriter

    written = 0
    with SummaryWriter(str(folder), purge_step=1, flush_secs=FLUSH_S) as writer:

        def show(history: History) -> None:
            nonlocal written
            for row in history[written:]:
                for name, value in row.items():
                    if name != "epoch":
                        writer.add_scalar(name, value, int(row["epoch"]))
            written = len(history)

        yield show
