"""Log a training for TensorBoard."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

# Seconds after which logs are written to disk.
FLUSH_S = 5
History = Sequence[Mapping[str, float]]


@contextmanager
def tensorboard(folder: Path | None) -> Iterator[Callable[[History], None]]:
    """Yield a function that writes the epochs of a history into `folder`; no effect for None.

    It is called with all epochs so far and writes the new ones. A training that is resumed or
    restarted writes all of its epochs, and TensorBoard discards the earlier ones.
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
