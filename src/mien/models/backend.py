"""Select Keras' backend, before Keras is imported."""

import importlib
import importlib.util
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mien.errors import ParamError
from mien.models.devices import require


def use_backend(name: str, devices: int = 1) -> None:
    """Import Keras with backend `name`, without TensorFlow's startup messages.

    Raises:
        ParamError: the backend is not installed, or has fewer than `devices`.
    """
    if importlib.util.find_spec(name) is None:
        raise ParamError(f"train.backend: {name} is not installed; run `pip install {name}`")
    os.environ["KERAS_BACKEND"] = name
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # It warns about models built in a loop, as folds and trials are.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with _silent_stderr():
        importlib.import_module("keras")
        if devices > 1:
            require(devices)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Discard what is written to file descriptor 2: C++ libraries do not use `sys.stderr`."""
    sys.stderr.flush()
    stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)
