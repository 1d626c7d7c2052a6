"""The registry of architectures. Importing it does not import Keras."""

ARCHITECTURES = ("compact", "seed_cnn", "simple_cnn")


def known(name: str) -> str:
    """Return `name` if it is a registered architecture.

    Raises:
        ValueError: it is not; the message lists those that are.
    """
    if name not in ARCHITECTURES:
        raise ValueError(f"unknown architecture {name!r}; one of {', '.join(ARCHITECTURES)}")
    return name
