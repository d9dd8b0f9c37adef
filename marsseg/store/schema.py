"""Brings a database to the tables of this version, or says why it cannot."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from marsseg.errors import StoreError, UnusableStoreError
from marsseg.store.engine import Database
from marsseg.store.refusals import lacks
from marsseg.store.soundness import refuse_damaged
from marsseg.store.tables import Base

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0003"
"""The revision that `tables` describes; the last file in `migrations/versions`."""

MIGRATIONS = Path(__file__).parent / "migrations"

logger = logging.getLogger(__name__)


def prepare(database: Database, home: Path | None = None) -> Path | None:
    """Create or upgrade the tables if need be; safe when several processes do it at once.

    Args:
        home: the folder of the store's runs, if it is known.

    Returns:
        Where the store was copied to before an upgrade; None when there was none, or nothing to copy.

    Raises:
        StoreError: the database is no database of ours, damaged, unreachable, from a newer version, or
            lacks a table; or it cannot be backed up before an upgrade.
    """
    if database.file:
        refuse_damaged(database.file, home=home)
    with database.read() as session:
        current = find_revision(session.connection(), database.where)
        if current == HEAD:
            _require_tables(session.connection(), database.where)
    if current != HEAD:
        refuse_unknown(current, database.where)
    if database.is_sqlite:
        database.use_write_ahead_log()
    return _upgrade(database) if current != HEAD else None


def find_revision(connection: Connection, where: str) -> str | None:
    """The revision that a database is at; None for an empty one.

    Raises:
        StoreError: there are tables, but not ours.
    """
    tables = inspect(connection).get_table_names()
    if "alembic_version" in tables:
        revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return revision
    if tables:
        raise StoreError(
            f"The database {where} belongs to another program (it holds {tables[0]!r}), so the lab does not "
            "use it; point MARSSEG_DATABASE_URL elsewhere."
        )
    return None


def _require_tables(connection: Connection, where: str) -> None:
    """Compare the names of the tables alone, which costs next to nothing."""
    missing = Base.metadata.tables.keys() - set(inspect(connection).get_table_names())
    if missing:
        raise UnusableStoreError(lacks(f"the table {min(missing)}", where))


def alembic_config() -> Config:
    """Alembic's configuration for our migrations; whoever uses it hands over the connection."""
    from alembic.config import Config  # slow to import, and a current database needs none of it

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def refuse_unknown(revision: str | None, where: str) -> None:
    """Refuse a database that a newer version of the lab has made.

    Raises:
        StoreError: no migration leads to its revision.
    """
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(alembic_config()).walk_revisions()
    if revision is not None and revision not in {script.revision for script in scripts}:
        raise StoreError(
            f"The database {where} was made by a newer version of MarsSeg Lab (revision {revision}, this one "
            f"knows up to {HEAD}); update the lab, or point MARSSEG_DATABASE_URL elsewhere."
        )


def migrate_to(revision: str, connection: Connection) -> None:
    """Run the migrations up to a revision on a connection that holds a transaction open."""
    from alembic import command

    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _upgrade(database: Database) -> Path | None:
    with database.migrate() as connection:
        current = find_revision(connection, database.where)  # again: another process may have been quicker
        if current == HEAD:
            return None
        refuse_unknown(current, database.where)
        # Nobody else can write until the upgrade is through, so the copy misses nothing.
        copy = _back_up(database, database.file, current) if current and database.file else None
        migrate_to("head", connection)
        return copy


def _back_up(database: Database, file: Path, revision: str) -> Path:
    """Copy the store to `runs.db.0001.backup` beside it, or to the first such name that is free."""
    names = (f"{file.name}.{revision}{number}.backup" for number in ("", *(f"-{n}" for n in range(2, 1000))))
    path = next(path for path in map(file.with_name, names) if not path.exists())
    database.backup(path)
    logger.info("The store %s was copied to %s before its upgrade to revision %s.", file, path, HEAD)
    return path
