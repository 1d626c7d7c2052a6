"""What a user can do wrong. Each message is one line: what, expected, got, what to do."""


class MienError(Exception):
    """A mistake the user can mend; its text is the one line they see."""


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
