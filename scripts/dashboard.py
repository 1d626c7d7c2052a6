"""Show the studies in optuna-dashboard: from tune.storage, or from journals in .mien/tune."""

import sys
from collections.abc import Iterable
from pathlib import Path
from socketserver import ThreadingMixIn
from threading import Lock
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import optuna
import optuna_dashboard
from optuna.storages import InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from mien import params
from mien.errors import MienError

JOURNALS = Path(".mien/tune")
HOST = "127.0.0.1"


class Server(ThreadingMixIn, WSGIServer):
    """A server that answers several requests at once."""

    daemon_threads = True


class Handler(WSGIRequestHandler):
    """A request handler without log output."""

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


class Copies:
    """A dashboard on copies of the studies in journals, renewed whenever one has changed.

    Journals are only read, also while a study runs: what is clicked here changes the copy. The
    dashboard could also not handle a journal that is truncated, as after a kill.
    """

    def __init__(self, folder: Path) -> None:
        """Show the journals in the folders in `folder`, those to come included."""
        self._folder = folder
        self._lock = Lock()
        self._sizes: dict[Path, int] = {}
        self._app: WSGIApplication = optuna_dashboard.wsgi(InMemoryStorage())

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        with self._lock:
            found = journals(self._folder)
            # Studies keep their order, and so their addresses.
            order = [path for path in self._sizes if path in found]
            order += [path for path in found if path not in self._sizes]
            sizes = {path: path.stat().st_size for path in order}
            if list(sizes.items()) != list(self._sizes.items()):
                self._app, self._sizes = optuna_dashboard.wsgi(copied(order)), sizes
            app = self._app
        return app(environ, start)


def journals(folder: Path) -> list[Path]:
    """Return the journals in the folders in `folder`, sorted."""
    return sorted(folder.glob("*/journal.log"))


def copied(paths: Iterable[Path]) -> InMemoryStorage:
    """Return copies of the studies in the journals, each called as its folder.

    In its journal a study has the name of its architecture, which others have, too.
    """
    copies = InMemoryStorage()
    for path in paths:
        journal = JournalStorage(JournalFileBackend(str(path)))
        for name in optuna.get_all_study_names(journal):
            optuna.copy_study(
                from_study_name=name,
                from_storage=journal,
                to_storage=copies,
                to_study_name=path.parent.name,
            )
    return copies


def dashboard() -> WSGIApplication:
    """Return the dashboard on the studies of params.yaml.

    Raises:
        MienError: there is no study yet, the database does not answer, or params.yaml is wrong.
    """
    storage = params.load().tune.storage
    if storage is None:
        if not journals(JOURNALS):
            raise MienError(
                f"no study in {JOURNALS} yet; begin one with `dvc repro`, and try again while its "
                "first trial runs"
            )
        return Copies(JOURNALS)
    try:
        url = make_url(storage).set(drivername="postgresql+psycopg")
        return optuna_dashboard.wsgi(RDBStorage(url.render_as_string(hide_password=False)))
    except SQLAlchemyError as error:
        raise MienError(f"tune.storage: {str(error).splitlines()[0]}") from error


def main(port: int) -> None:
    """Serve on `port` of this machine only, until Ctrl-C."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        server = make_server(HOST, port, dashboard(), Server, Handler)
    except MienError as error:
        sys.exit(f"dashboard: {error}")
    except OSError as error:
        sys.exit(f"dashboard: port {port}: {error.strerror}; choose another: make dashboard PORT=…")
    print(f"http://{HOST}:{port} shows the studies; Ctrl-C ends it", file=sys.stderr)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print(file=sys.stderr)


if __name__ == "__main__":
    main(int(sys.argv[1]))
