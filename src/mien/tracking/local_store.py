"""The default store, `mlflow.db` in the project's folder, read and mended without MLflow.

MLflow writes absolute paths of artefacts into it. A project that was moved would find none of its
models, and a copy would write into the folder of the original: `follow` sets the paths right.
"""

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

DATABASE, ARTIFACTS = "mlflow.db", "mlartifacts"
# Tables and columns of MLflow 3.17 that hold places of artefacts.
PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def is_default() -> bool:
    """Tell whether runs go into the project's own database, as no MLFLOW_TRACKING_URI is set."""
    return not os.environ.get("MLFLOW_TRACKING_URI")


def moved_from(root: Path) -> Path | None:
    """Return the folder that the store's paths speak of, if it is not `root`.

    Args:
        root: folder of the project.
    """
    if not (is_default() and (root / DATABASE).is_file()):
        return None
    with closing(_opened(root)) as database:
        try:
            found = database.execute(
                "select artifact_location from experiments where artifact_location like ?",
                (f"file://%/{ARTIFACTS}",),
            ).fetchone()
        except sqlite3.Error:
            return None
    if found is None:
        return None
    # As a URI, in which a space is %20.
    told = Path(unquote(urlsplit(found[0]).path)).parent
    return None if told == root.resolve() else told


def follow(root: Path) -> Path | None:
    """Let the store's paths speak of `root`; return the folder that they spoke of, if another."""
    old = moved_from(root)
    if old is None or not (root / ARTIFACTS).is_dir():
        return None
    new = root.resolve()
    with closing(_opened(root)) as database, database:
        for table, column in PLACES:
            for before, after in ((old.as_uri(), new.as_uri()), (str(old), str(new))):
                database.execute(
                    f"update {table} set {column} = ? || substr({column}, ?) "  # noqa: S608
                    f"where substr({column}, 1, ?) = ?",
                    (after, len(before) + 1, len(before) + 1, f"{before}/"),
                )
    return old


def lacks_artifacts(root: Path) -> bool:
    """Tell whether the folder of artefacts is gone, though the store knows of models in it."""
    if (root / ARTIFACTS).is_dir():
        return False
    with closing(_opened(root)) as database:
        try:
            return database.execute("select 1 from logged_models limit 1").fetchone() is not None
        except sqlite3.Error:
            return False


def holds(root: Path, keys: Iterable[str], alias: str) -> bool:
    """Tell whether the store has a finished run for each of `keys`, and the alias on one of them.

    Args:
        root: folder of the project.
        keys: `mien.key` of runs.
        alias: of the registered model.
    """
    wanted = set(keys)
    if moved_from(root) or not (root / DATABASE).is_file() or not (root / ARTIFACTS).is_dir():
        return False
    with closing(_opened(root)) as database:
        try:
            rows = database.execute(
                "select tags.value from tags join runs using (run_uuid) where tags.key = 'mien.key'"
                " and runs.status = 'FINISHED' and runs.lifecycle_stage = 'active'"
            ).fetchall()
            aliased = database.execute(
                "select tags.value from registered_model_aliases as aliases join model_version_tags"
                " as tags on tags.name = aliases.name and tags.version = aliases.version"
                " where aliases.alias = ? and tags.key = 'mien.key'",
                (alias,),
            ).fetchall()
        except sqlite3.Error:
            return False
    return wanted <= {row[0] for row in rows} and any(row[0] in wanted for row in aliased)


def _opened(root: Path) -> sqlite3.Connection:
    return sqlite3.connect(root / DATABASE, timeout=10)
