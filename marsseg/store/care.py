"""Looking after the database itself: is it sound, copy it, give space back, bring it up to date.

Apart from `migrate`, nothing here changes a table: a store of an earlier version is looked at as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, create_engine, func, inspect, select, table, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from marsseg.errors import DamagedStoreError, StoreError
from marsseg.store.engine import Database
from marsseg.store.inventory import Inventory, take_inventory
from marsseg.store.refusals import LEFT_ALONE
from marsseg.store.schema import HEAD, find_revision, migrate_to, prepare, refuse_unknown
from marsseg.store.soundness import log_of, refuse_damaged

_SHOWN_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """What a look at the database found.

    Args:
        where: the file, or the URL without its password.
        revision: the revision of its tables; None when there are none yet.
        head: the revision that this version of the lab works with.
        size_bytes: of the file and its log; None where the store is no file.
        rows: how many rows each table has; empty where damage keeps them from being counted.
        problems: a sentence each; none means that the database is sound.
    """

    where: str
    revision: str | None
    head: str
    size_bytes: int | None
    rows: dict[str, int]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Upgrade:
    """From which revision to which a store was brought, and where the copy from before lies."""

    before: str | None
    after: str
    backup: Path | None


def check(url: str) -> StoreHealth:
    """Read the whole database and compare its tables, indexes and references.

    Raises:
        StoreError: there is no database, it is from a newer version, or it is damaged so badly that it cannot
            be opened.
    """
    with _opened(url) as database, database.read() as session:
        revision = find_revision(session.connection(), database.where)
        refuse_unknown(revision, database.where)
        damage = _damage(database, session)
        return StoreHealth(
            where=database.where,
            revision=revision,
            head=HEAD,
            size_bytes=store_size(database),
            rows={} if damage else _count_rows(session),
            problems=damage or tuple(_gaps(session, revision)) or _dangling(session),
        )


def inventory(url: str) -> Inventory:
    """What the runs and datasets of a store ought to have on disk.

    Raises:
        StoreError: there is no database, it is from a newer version, or damaged.
    """
    with _opened(url) as database:
        return take_inventory(database)


def back_up(url: str, path: Path) -> None:
    """Copy the database to a new file, whole as at one moment, while others go on writing.

    Raises:
        StoreError: it is no file, the copy exists already, or it cannot be written.
    """
    with _opened(url) as database:
        database.backup(path)


def vacuum(url: str) -> tuple[int | None, int | None]:
    """Give the space of what was deleted back to the disk; returns bytes before and after.

    Raises:
        StoreError: the database cannot be written, or stays busy.
    """
    with _opened(url) as database:
        before = store_size(database)
        database.compact()
        return before, store_size(database)


def migrate(url: str) -> Upgrade:
    """Bring the tables up to date, with a copy from before beside a file.

    Raises:
        StoreError: the database is from a newer version, damaged, or cannot be copied first.
    """
    with _opened(url) as database:
        with database.read() as session:
            before = find_revision(session.connection(), database.where)
            if damage := _damage(database, session):
                raise DamagedStoreError(f"{LEFT_ALONE.format(where=database.where)} {damage[0]}")
        return Upgrade(before, HEAD, prepare(database))


def store_size(database: Database) -> int | None:
    """Bytes of a SQLite store with what is not yet written back to it; None for a server."""
    if database.file is None:
        return None
    parts = (database.file, log_of(database.file))
    return sum(part.stat().st_size for part in parts if part.exists())


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        if database.file:
            refuse_damaged(database.file)
            if not database.file.exists():
                raise StoreError(f"There is no database {database.file} yet; the lab's first start makes it.")
        yield database
    finally:
        database.close()


def _count_rows(session: Session) -> dict[str, int]:
    names = sorted(set(inspect(session.connection()).get_table_names()) - {"alembic_version"})
    return {name: session.scalar(select(func.count()).select_from(table(name))) or 0 for name in names}


def _damage(database: Database, session: Session) -> tuple[str, ...]:
    """What SQLite finds wrong with its file; nothing for a server, which looks after its files itself."""
    if not database.is_sqlite:
        return ()
    lines: list[str] = []
    try:
        lines.extend(session.scalars(text(f"PRAGMA integrity_check({_SHOWN_PROBLEMS})")))
    except DatabaseError as error:  # so much that SQLite gives up on looking
        lines.append(str(error.orig))
    damage = tuple(f"{' '.join(line.split())}." for line in lines if line != "ok")
    if damage:
        database.note_damage()
    return damage


def _gaps(session: Session, revision: str | None) -> Iterator[str]:
    """Name the tables and columns that a database of this revision has, and this one lacks."""
    found = _columns(session.connection())
    if revision is None:
        if found:
            yield "The table alembic_version is empty: nobody knows of which version the tables are."
        return
    for name, columns in sorted(_columns_at(revision).items()):
        if name not in found:
            yield f"The table {name} is missing; restore a backup."
        else:
            for column in sorted(columns - found[name]):
                yield f"The table {name} lacks its column {column}; restore a backup."


def _columns_at(revision: str) -> dict[str, set[str]]:
    """The columns of all tables at a revision, found by making them."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        migrate_to(revision, connection)
        columns = _columns(connection)
    engine.dispose()
    return columns


def _columns(connection: Connection) -> dict[str, set[str]]:
    tables = inspect(connection)
    return {
        name: {column["name"] for column in tables.get_columns(name)} for name in tables.get_table_names()
    }


def _dangling(session: Session) -> tuple[str, ...]:
    if session.connection().dialect.name != "sqlite":
        return ()
    found = session.execute(text("PRAGMA foreign_key_check")).fetchmany(_SHOWN_PROBLEMS)
    return tuple(
        f"Row {row} of {child} refers to something that is not in {parent}."
        for child, row, parent, _ in found
    )
