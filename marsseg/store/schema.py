"""Brings a database to the tables of this version, or says why it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from marsseg.errors import StoreError
from marsseg.store.engine import Database

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0001"
"""The revision that `tables` describes; the last file in `migrations/versions`."""

MIGRATIONS = Path(__file__).parent / "migrations"


def prepare(database: Database) -> None:
    """Create or upgrade the tables if need be; safe when several processes do it at once.

    Raises:
        StoreError: the database is no database of ours, damaged, unreachable, or from a newer version.
    """
    with database.read() as session:
        current = find_revision(session.connection(), database.where)
    if current != HEAD:
        _refuse_unknown(current, database.where)
    if database.is_sqlite:
        database.use_write_ahead_log()
    if current != HEAD:
        _upgrade(database)


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
            f"The database {where} belongs to another program (it holds {tables[0]!r}) "
            "and was left as it is; point MARSSEG_DATABASE_URL elsewhere."
        )
    return None


def alembic_config() -> Config:
    """Alembic's configuration for our migrations; whoever uses it hands over the connection."""
    from alembic.config import Config  # slow to import, and a current database needs none of it

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _refuse_unknown(revision: str | None, where: str) -> None:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(alembic_config()).walk_revisions()
    if revision is not None and revision not in {script.revision for script in scripts}:
        raise StoreError(
            f"The database {where} was made by a newer version of MarsSeg Lab (revision {revision}, this one "
            f"knows up to {HEAD}); update the lab, or point MARSSEG_DATABASE_URL elsewhere."
        )


def _upgrade(database: Database) -> None:
    from alembic import command

    with database.migrate() as connection:
        current = find_revision(connection, database.where)  # again: another process may have been quicker
        _refuse_unknown(current, database.where)
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
