"""YuNet's file, downloaded once."""

import hashlib
import os
import tempfile
from pathlib import Path

URL = (
    "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/"
    "face_detection_yunet_2026may.onnx"
)
SHA256 = "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0"
# Timeout in seconds; size limit in bytes, ten times the file's size.
PATIENCE, LARGEST = 5, 2_500_000


class MissingError(Exception):
    """The file is missing and cannot be downloaded; the message says why and what to do."""


def yunet() -> Path:
    """Return the path of YuNet's file in the user's cache, downloaded if it is not there.

    Raises:
        MissingError: there is no network or no writable folder, or the hash differs.
    """
    kept = _cache() / URL.rpartition("/")[2]
    try:
        if kept.is_file() and _digest(kept.read_bytes()) == SHA256:
            return kept
        # Imported here: the import is slow, and not needed once the file is in the cache.
        import urllib.request

        with urllib.request.urlopen(URL, timeout=PATIENCE) as answer:
            data = answer.read(LARGEST)
        if (got := _digest(data)) != SHA256:
            raise MissingError(_advice(f"expected sha256 {SHA256}, got {got}", kept))
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False) as incoming:
            incoming.write(data)
        os.replace(incoming.name, kept)
    except (OSError, ValueError) as error:
        # A URLError contains the system's error, which has the message.
        cause = getattr(error, "reason", error)
        reason = getattr(cause, "strerror", None) or str(cause)
        raise MissingError(_advice(reason, kept)) from error
    return kept


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "mien")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _advice(reason: str, kept: Path) -> str:
    return (
        f"the face detector YuNet cannot be downloaded ({reason}): get {URL} on another machine "
        f"and give its path with --detector, or copy it to {kept}."
    )
