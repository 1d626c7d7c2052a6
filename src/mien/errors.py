"""What a user can do wrong. Each message is one line: what, expected, got, what to do."""

import re

# The package lies in no index: only a checkout has the extras, `INSTALL.format("pipeline")`.
INSTALL = "run `pip install '.[{}]'` in the project's checkout"


def masked(text: str) -> str:
    """Return `text` without what a URL in it may keep secret: user, password and query.

    >>> masked("postgresql://me:secret@db:5432/mien?password=secret is gone")
    'postgresql://***@db:5432/mien?*** is gone'
    """
    # Up to the last @: a password may hold one.
    return re.sub(r"(//[^\s?]*)\?\S+", r"\1?***", re.sub(r"//\S*@", "//***@", text))


class MienError(Exception):
    """A mistake the user can mend; its text is the one line they see, without passwords."""

    def __str__(self) -> str:
        """Return the message; what comes from a file's or a user's names cannot break the line."""
        text = masked(super().__str__())
        return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


class ParamError(MienError, ValueError):
    """params.yaml holds an unknown key or a value outside its range."""


class SourceError(MienError, ValueError):
    """The data source is missing, broken, unsafe or of no known shape."""


class TrainingError(MienError, ArithmeticError):
    """The loss is no longer a number."""


class TuningError(MienError, RuntimeError):
    """A study cannot be opened or shared, or a sampler lacks its package."""


class PhotoError(MienError, ValueError):
    """A photo or video is missing or cannot be read."""


class ModelError(MienError, ValueError):
    """A model or detector file is missing, broken or of another kind."""


class ExportError(MienError, ValueError):
    """A model cannot be written as ONNX, or answers otherwise there."""


class TrackingError(MienError, ConnectionError):
    """The MLflow server cannot be reached or refuses the request."""


class RevisionError(MienError, LookupError):
    """Git does not hold what is to be compared."""
