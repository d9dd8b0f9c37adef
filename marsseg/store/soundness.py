"""Looks at a SQLite file before SQLite does.

Whoever opens a database with a log beside it (`-wal`) has SQLite write that log into the file, or throw it
away where the file is empty. On a damaged file that would destroy what a rescue needs, so such a file is
refused before.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from marsseg.errors import DamagedStoreError, StoreError

_MAGIC = b"SQLite format 3\0"
_JOURNAL = slice(18, 20)
"""Where the header says how changes are journalled: 1, 1 for a rollback journal, 2, 2 for a log beside it."""
_WITHOUT_LOG = b"\1\1"
NOT_A_DATABASE = (
    "The file {where} is not a readable database and was left as it is; "
    "restore a backup, move it away together with its -wal, or point MARSSEG_DATABASE_URL elsewhere."
)


def log_of(file: Path) -> Path:
    """Where SQLite keeps what is not yet written back to a file."""
    return file.with_name(f"{file.name}-wal")


def refuse_damaged(file: Path) -> None:
    """Refuse a file that opening would change although it cannot be read; none at all is fine.

    Raises:
        StoreError: it is no SQLite file, it is gone while its log is there, the log is another database's,
            its tables cannot be listed, or it is empty although runs have files beside it.
    """
    beginning = _read_beginning(file)
    if beginning and not beginning.startswith(_MAGIC):
        raise DamagedStoreError(NOT_A_DATABASE.format(where=file))
    if not _has_content(log_of(file)):
        _refuse_emptied(file)
        return
    if beginning[_JOURNAL] == _WITHOUT_LOG:
        raise StoreError(
            f"The database {file} is a copy that was put back beside {log_of(file).name}, which belongs to "
            "the database before it and would be mixed into it; both were left as they are. End all "
            "processes of the lab, remove the files that end in -wal and -shm, and try again."
        )
    if not beginning:
        raise StoreError(
            f"The database {file} is missing or empty, but its log {log_of(file).name} is there and was left "
            "as it is; put the database back beside it, or move the log away."
        )
    try:
        _read_without_writing(file)
    except sqlite3.DatabaseError as error:
        if "malformed" in str(error) or "not a database" in str(error):
            raise DamagedStoreError(NOT_A_DATABASE.format(where=file)) from error


def require_sound(connection: sqlite3.Connection) -> None:
    """Read the whole database and compare its tables with their indexes' structure.

    Raises:
        DatabaseError: it is damaged somewhere.
    """
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(f"database disk image is malformed: {found}")


def _refuse_emptied(file: Path) -> None:
    """Refuse a file that lost its content: with new tables in it, it would speak against all files."""
    runs = file.parent / "artifacts" / "runs"
    if file.is_file() and not file.stat().st_size and any(runs.glob("r-*")):
        raise StoreError(
            f"The database {file} is empty, but runs have files in {runs}; it was left as it is. Put a "
            "backup in its place, or remove it to begin anew."
        )


def _read_beginning(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_JOURNAL.stop)
    except OSError:  # missing, or a folder that cannot be read: SQLite says so in its own words
        return b""


def _has_content(log: Path) -> bool:
    return log.is_file() and log.stat().st_size > 0


def _read_without_writing(file: Path) -> None:
    """A connection that may only read never writes the log back, not even when it is the last to close."""
    with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        connection.execute("SELECT * FROM alembic_version").fetchall()
