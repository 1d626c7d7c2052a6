"""The choice of Keras' backend, before Keras is imported."""

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
    """Import Keras on backend `name`, without the lines that TensorFlow greets with.

    Raises:
        ParamError: the backend is not installed, or has fewer than `devices`.
    """
    if importlib.util.find_spec(name) is None:
        raise ParamError(f"train.backend: {name} is not installed; run `pip install {name}`")
    os.environ["KERAS_BACKEND"] = name
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # It warns of models built in a loop, which folds and trials are.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with _silent_stderr():
        importlib.import_module("keras")
        if devices > 1:
            require(devices)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Drop what is written to file descriptor 2: C++ libraries know no `sys.stderr`."""
    sys.stderr.flush()
    stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)
