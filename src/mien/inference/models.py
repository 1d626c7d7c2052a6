"""Load a model by name: a shipped one, a file, or one registered in MLflow."""

import importlib.resources
import json
import tempfile
from pathlib import Path

from mien.errors import INSTALL, ModelError
from mien.inference.classify import Classifier

SHIPPED = ("fer7", "fer7-small", "fer4", "fer4-small")
# The warning for a model whose card says so.
DRAWN = "learned on drawn faces, so what it says of real ones means little; take fer7 for those"
# Maximum size of an ONNX file, a protocol buffers message.
LARGEST_FILE = 2**31
# Folder of the shipped models, each as NAME.onnx with its card NAME.json.
PRETRAINED = importlib.resources.files("mien") / "pretrained"


def load(name: str) -> Classifier:
    """Return the model with this name.

    Args:
        name: one of SHIPPED, which come with the package; an `.onnx` file, or a folder with
            `model.onnx`; or `models:/NAME@ALIAS` or `models:/NAME/VERSION` in MLflow.

    Raises:
        ModelError: there is no such model, or it was not exported by mien.
        TrackingError: MLflow does not answer or has no such model.
    """
    if name.startswith("models:/"):
        return _registered(name)
    path = Path(name)
    if name in SHIPPED and not path.exists():
        file = PRETRAINED / f"{name}.onnx"
        if not file.is_file():
            raise ModelError(
                f"the model {name} does not come with this copy of mien; train your own with "
                "`make` in the project's checkout and give --model models/export"
            )
        return Classifier(file.read_bytes(), name)
    if path.is_dir():
        path /= "model.onnx"
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ModelError(f"{path}: larger than an ONNX file can be; name an exported model")
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path}: {error.strerror}; --model takes {', '.join(SHIPPED)}, an .onnx file, a "
            "folder with model.onnx, or models:/NAME@ALIAS"
        ) from error
    return Classifier(data, str(path), _drawn(path))


def _drawn(path: Path) -> bool:
    """Tell whether the card beside the model says that its data were drawn; false without one."""
    try:
        return json.loads(path.with_name("card.json").read_bytes()).get("drawn") is True
    except (OSError, ValueError, AttributeError):
        return False


def _registered(name: str) -> Classifier:
    try:
        from mien.tracking import registered
    except ImportError as error:
        raise ModelError(
            f"{name}: {error.name} is not installed; {INSTALL.format('pipeline')}"
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        place = registered.download(name, Path(folder), Path.cwd())
        # MLflow's folder `code` has this package, with the face detector.
        found = sorted({*place.rglob("*.onnx")} - {*place.glob("code/**/*.onnx")})
        if len(found) != 1:
            raise ModelError(
                f"{name}: expected one .onnx file in the registered model, got {len(found)}; "
                "register an exported one"
            )
        return Classifier(found[0].read_bytes(), name, _drawn(found[0]))
