"""Downloads: http, https, s3 and gs through fsspec, Google Drive through gdown."""

import hashlib
import logging
import os
import re
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tqdm import tqdm

from mien.errors import INSTALL, SourceError

# Timeouts in seconds: to connect, between two parts of the response, and for a store, with all
# retries of its library, to report that it has the file.
CONNECT, READ, FOUND = 10, 60, 15
# Which extra installs the file system of a scheme.
EXTRAS = {"s3": "s3", "gs": "gs", "gcs": "gs"}
BY_HAND = "or download it by hand, set data.source to the file and data.url to null"


def fetch(url: str, sha256: str | None, folder: Path) -> Path:
    """Return the file at `url`, downloaded into `folder` unless it is already there.

    Args:
        url: http, https, s3 or gs address, a Google Drive link to a file, or just its id.
        sha256: expected hash of the file, hexadecimal; None: not checked.
        folder: for downloads, each in a folder named after a hash of its address.

    Raises:
        SourceError: the address is of another kind or cannot be reached, or the hash differs.
    """
    home = folder / hashlib.sha256(url.encode()).hexdigest()[:16]
    home.mkdir(parents=True, exist_ok=True)
    for kept in sorted(path for path in home.iterdir() if path.is_file()):
        if sha256 in (None, _digest(kept)):
            return kept
        kept.unlink()
    with tempfile.TemporaryDirectory(dir=home) as incoming:
        path = _download(url, Path(incoming))
        if sha256 not in (None, got := _digest(path)):
            raise SourceError(
                f"data.url {url}: expected sha256 {sha256}, got {got}; "
                "correct data.sha256 or data.url"
            )
        kept = home / path.name
        os.replace(path, kept)
    return kept


def is_drive(url: str) -> bool:
    """Return whether `url` is a Google Drive link or the id of a file there."""
    from gdown.parse_url import is_google_drive_url

    return re.fullmatch(r"[-\w]{25,}", url) is not None or is_google_drive_url(url)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _download(url: str, folder: Path) -> Path:
    """Return the file of `url`, written into `folder` under its own name."""
    scheme = urlsplit(url).scheme
    drive = is_drive(url)
    if not drive and scheme not in ("http", "https", *EXTRAS):
        raise SourceError(
            f"data.url {url}: expected an http, https, s3 or gs address or a Google Drive link or "
            "id; set data.source for a local file"
        )
    try:
        return (_from_drive if drive else _from_web)(url, folder)
    except ImportError as error:
        raise SourceError(
            f"data.url {url}: {error.name or error} is not installed; "
            f"{INSTALL.format(EXTRAS.get(scheme, 'pipeline'))}"
        ) from error
    # Each transport raises its own exceptions; all mean that the download failed.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, FileNotFoundError):
            reason = "there is no such file"
        elif isinstance(error, TimeoutError):
            reason = "no answer in time"
        elif scheme == "s3":
            reason += " (a public bucket needs FSSPEC_S3_ANON=true)"
        raise SourceError(
            f"data.url {url} cannot be downloaded: {reason}; check the address and the connection, "
            f"{BY_HAND}"
        ) from error


def _from_web(url: str, folder: Path) -> Path:
    from fsspec.asyn import sync
    from fsspec.callbacks import TqdmCallback
    from fsspec.core import url_to_fs

    parts = urlsplit(url)
    path = folder / (re.sub(r"[^\w.-]", "_", unquote(parts.path).split("/")[-1]) or "download")
    system, address = url_to_fs(url, **_timeouts(parts.scheme))
    if system.async_impl and parts.scheme in EXTRAS:
        # By default gcsfs tries an unreachable store for four minutes and logs tracebacks.
        logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
        sync(system.loop, system._info, address, timeout=FOUND)
    bar = {"desc": path.name, "unit": "B", "unit_scale": True, "delay": 2, "disable": None}
    with TqdmCallback(tqdm_kwargs=bar) as callback:
        system.get_file(address, str(path), callback=callback)
    return path


def _timeouts(scheme: str) -> dict[str, object]:
    """Return the options that make the file system of `scheme` time out within seconds."""
    if scheme == "s3":
        times = {"connect_timeout": CONNECT, "read_timeout": READ, "retries": {"max_attempts": 1}}
        return {"config_kwargs": times}
    if scheme in EXTRAS:
        return {}
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=READ)
    return {"client_kwargs": {"timeout": timeout, "trust_env": True}}


def _from_drive(url: str, folder: Path) -> Path:
    import gdown
    from gdown.parse_url import parse_url

    file = parse_url(url)[0] if "/" in url else url
    if file is None:
        raise ValueError("it is no link to a single file")
    with tqdm(desc="Google Drive", unit="B", unit_scale=True, delay=2, disable=None) as bar:

        def progress(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        # With a folder as output gdown keeps the file's name in Drive.
        gdown.download(
            id=file,
            output=f"{folder}{os.sep}",
            quiet=True,
            progress=progress,
            timeout=(CONNECT, READ),
            retries=1,
        )
    return next(folder.iterdir())
