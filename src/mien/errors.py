"""Mistakes of users. Each message is one line: what, expected, got, what to do."""

import re

# The package lies in no index: only a checkout has the extras, `INSTALL.format("pipeline")`.
INSTALL = "run `pip install '.[{}]'` in the project's checkout"


def masked(text: str) -> str:
    """Return `text` with user, password and query of URLs masked.

    >>> masked("postgresql://me:secret@db:5432/mien?password=secret is gone")
    'postgresql://***@db:5432/mien?*** is gone'
    """
    # Up to the last @: a password may contain one.
    return re.sub(r"(//[^\s?]*)\?\S+", r"\1?***", re.sub(r"//\S*@", "//***@", text))


class MienError(Exception):
    """A mistake that the user can fix; its text is the line they see, without passwords."""

    def __str__(self) -> str:
        """Return the message; unprintable characters in names are escaped."""
        text = masked(super().__str__())
        return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


class ParamError(MienError, ValueError):
    """params.yaml has an unknown key or an invalid value."""


class SourceError(MienError, ValueError):
    """The data source is missing, broken, unsafe or of an unknown format."""


class TrainingError(MienError, ArithmeticError):
    """The loss is no longer a number."""


class TuningError(MienError, RuntimeError):
    """A study cannot be opened or shared, or a sampler lacks its package."""


class PhotoError(MienError, ValueError):
    """A photo or video is missing or cannot be read."""


class ModelError(MienError, ValueError):
    """A model or detector file is missing, broken or of another kind."""


class ExportError(MienError, ValueError):
    """A model cannot be written as ONNX, or its output differs there."""


class TrackingError(MienError, ConnectionError):
    """The MLflow server cannot be reached or rejects the request."""


class RevisionError(MienError, LookupError):
    """The Git revision to compare with does not exist."""
