"""The engine and the one session scope that owns commit, rollback and close.

One writer at a time, any number of readers: on SQLite a write transaction starts with BEGIN
IMMEDIATE, on PostgreSQL it takes an advisory lock first. So whatever a writer has read is still
true when it writes, and events get their numbers in the order in which they become visible.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from marsseg.errors import DamagedStoreError, StoreError
from marsseg.store.filewatch import FileWatch
from marsseg.store.refusals import BUSY_SECONDS, explain
from marsseg.store.soundness import companions_of, require_sound

_WRITES = "marsseg_writes"
_POSTGRESQL_LOCK = 0x6D617273
_NOT_WRITABLE = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")


class Database:
    """An engine with a reading and a writing scope; may be shared by threads.

    Raises:
        StoreError: the URL makes no sense, its driver is missing, or it names an in-memory database.
    """

    def __init__(self, url: str) -> None:
        parsed = _parse_url(url)
        self.where = describe_url(parsed)
        self._watch = FileWatch(self.where) if parsed.get_backend_name() == "sqlite" else None
        self.engine = build_engine(parsed, self._watch)
        weakref.finalize(self, _close, self.engine, self._watch)  # also of a process that just ends
        self._open_reader = sessionmaker(self.engine)
        self._open_writer = sessionmaker(self.engine.execution_options(**{_WRITES: True}))

    @property
    def is_sqlite(self) -> bool:
        """Whether the store is a file."""
        return self.engine.dialect.name == "sqlite"

    @property
    def file(self) -> Path | None:
        """The file of a SQLite store; None for a server."""
        return Path(self.where.removeprefix("file:")) if self.is_sqlite else None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent view that never waits for a writer."""
        with self._explained(), self._open_reader() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """The only writer until the end of the block; committed there, or rolled back on any error."""
        with self._explained(), self._open_writer.begin() as session:
            yield session

    @contextmanager
    def migrate(self) -> Iterator[Connection]:
        """The only writer, with foreign keys unchecked: a rebuilt table must not cascade to its children."""
        engine = build_engine(self.engine.url, self._watch, migrating=True)
        with self._explained(), engine.execution_options(**{_WRITES: True}).begin() as connection:
            yield connection

    def use_write_ahead_log(self) -> None:
        """Switch a SQLite file, for good, to WAL: readers and the writer stop blocking each other.

        That changes the file, so one that is not in WAL yet, such as a backup put back, is read first.

        Raises:
            DamagedStoreError: it is damaged somewhere; then nothing is changed.
        """
        deadline = time.monotonic() + BUSY_SECONDS
        with self._driver() as connection:
            while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                try:
                    require_sound(connection)
                    connection.execute("PRAGMA journal_mode = WAL")
                except sqlite3.OperationalError as error:  # SQLite does not wait for this lock by itself
                    if "locked" not in str(error) or time.monotonic() > deadline:
                        raise
                    time.sleep(0.01)

    def backup(self, path: Path) -> None:
        """Copy a SQLite store, as it stands at one moment, to a new file, while others go on writing.

        The copy appears under its name only when it is whole, sound and on disk: a damaged one might take the
        place of a good one.

        Raises:
            StoreError: the store is no file, the copy exists already or has a name that SQLite uses,
                or it cannot be written.
            DamagedStoreError: the store is damaged somewhere.
        """
        if not self.is_sqlite:
            raise StoreError(f"{self.where} is not a file; back it up with its own tools, such as pg_dump.")
        if not path.name:
            raise StoreError(
                f"{str(path)!r} names no file; say where the backup shall be, such as backup.db."
            )
        if self.file and path.resolve() in companions_of(self.file):
            raise StoreError(
                f"The backup cannot be called {path}: SQLite uses that name for what it keeps beside the "
                "database, and would mix the two; choose another name, such as backup.db."
            )
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            if path.exists():
                raise FileExistsError(errno.EEXIST, "there is a file of that name already", str(path))
            temporary.touch(exist_ok=False)  # so that a folder that cannot be written is told in plain words
            with self._driver() as source:
                _copy(source, temporary)
            _sync(temporary)
            temporary.rename(path)
            _sync(path.parent)
        except OSError as error:
            raise StoreError(
                f"The backup {path} cannot be written ({error.strerror}); make room, or name another file."
            ) from error
        finally:
            temporary.unlink(missing_ok=True)

    def compact(self) -> None:
        """Give the space of what was deleted back to the disk; waits for the current writer."""
        if self.is_sqlite:
            with self._driver() as connection:
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")
            with self._explained(), autocommit.connect() as connected:
                connected.exec_driver_sql("VACUUM")

    def note_damage(self) -> None:
        """Hear that the store is damaged: closing it must not write SQLite's log into the file."""
        if self._watch:
            self._watch.note_damage()

    def close(self) -> None:
        """Close all pooled connections; SQLite's log is not written back into a file that is damaged."""
        _close(self.engine, self._watch)

    @contextmanager
    def _driver(self) -> Iterator[sqlite3.Connection]:
        """SQLite's own connection, outside any transaction."""
        with self._explained(), closing(self.engine.raw_connection()) as connection:
            assert self._watch is not None, "only files are spoken to without a transaction"
            self._watch.require()
            yield connection.driver_connection  # type: ignore[misc]

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            refusal = explain(error, self.where)
            if isinstance(refusal, DamagedStoreError):
                self.note_damage()
            raise refusal from error


def _close(engine: Engine, watch: FileWatch | None) -> None:
    with watch.ending() if watch else nullcontext():
        engine.dispose()


def _copy(source: sqlite3.Connection, path: Path) -> None:
    """Copy a SQLite connection's database; what goes wrong with the copy is an OSError."""
    with closing(sqlite3.connect(path)) as target:
        try:
            source.backup(target)
            require_sound(target)
            target.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname.startswith(_NOT_WRITABLE):
                raise OSError(errno.EIO, str(error), str(path)) from error
            raise


def _sync(path: Path) -> None:
    """Make a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def build_engine(url: URL, watch: FileWatch | None, *, migrating: bool = False) -> Engine:
    """Build an engine on SQLite or PostgreSQL whose transactions start as this module promises.

    Args:
        watch: looks at the file of a SQLite database.

    Raises:
        StoreError: the driver is missing.
    """
    options: dict[str, Any] = {"json_serializer": partial(json.dumps, ensure_ascii=False, allow_nan=False)}
    if url.get_backend_name() == "sqlite":
        options["connect_args"] = {"timeout": BUSY_SECONDS}
    else:
        options["pool_pre_ping"] = True
        # A stricter level would read as of before the writer got its lock.
        options["isolation_level"] = "READ COMMITTED"
    if migrating:
        options["poolclass"] = NullPool
    try:
        engine = create_engine(url, **options)
    except (ImportError, NoSuchModuleError) as error:
        raise StoreError(
            f"The driver of {describe_url(url)} is not installed ({error}); "
            "install it, e.g. with `pip install psycopg[binary]`, or check the URL."
        ) from error
    if watch:
        _add_hooks(engine, watch, foreign_keys=not migrating)
    else:
        _add_server_hooks(engine)
    return engine


def describe_url(url: URL) -> str:
    """Name a database in a sentence: a file's path, or the URL without its password."""
    return url.database or "" if url.get_backend_name() == "sqlite" else url.render_as_string()


def _parse_url(url: str | URL) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(
            "MARSSEG_DATABASE_URL is no database URL; write sqlite:////path/runs.db or "
            "postgresql+psycopg://user@host/name."
        ) from error
    backend = parsed.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise StoreError(f"Databases of kind {backend!r} are not supported; use SQLite or PostgreSQL.")
    named = (parsed.database or "").removeprefix("file:")
    if backend == "sqlite" and (named in {"", ":memory:"} or parsed.query.get("mode") == "memory"):
        raise StoreError(
            "The database must be a file, because other processes write to it too; "
            "write sqlite:////path/runs.db."
        )
    return parsed


def _add_hooks(engine: Engine, watch: FileWatch, *, foreign_keys: bool) -> None:
    @event.listens_for(engine, "do_connect")
    def look(*_: object) -> None:
        watch.require()  # SQLite would make a new file where the old one was

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        watch.note_opened()
        connection.isolation_level = None  # the driver must not begin: `begin` below does
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
        watch.require()  # only now: a writer may have waited for half a minute


def _add_server_hooks(engine: Engine) -> None:
    @event.listens_for(engine, "begin")
    def lock(connection: Connection) -> None:
        if connection.get_execution_options().get(_WRITES):
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_POSTGRESQL_LOCK})")
