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
from marsseg.store.descriptors import read_beginning
from marsseg.store.refusals import BUSY_SECONDS, ELSEWHERE, LEFT_ALONE

MAGIC = b"SQLite format 3\0"
"""What every SQLite file begins with."""
_JOURNAL = slice(18, 20)
"""Where the header says how changes are journalled: 1, 1 for a rollback journal, 2, 2 for a log beside it."""
_WITHOUT_LOG = b"\1\1"
_COMPANIONS = ("-wal", "-shm", "-journal")


def companions_of(file: Path) -> tuple[Path, ...]:
    """What SQLite may keep beside a file, which for a link is beside what it leads to."""
    real = file.resolve()
    return tuple(real.with_name(f"{real.name}{ending}") for ending in _COMPANIONS)


def log_of(file: Path) -> Path:
    """Where SQLite keeps what is not yet written back to a file."""
    return companions_of(file)[0]


def refuse_damaged(file: Path, *, home: Path | None = None) -> None:
    """Refuse a file that opening would change although it cannot be read; none at all is fine.

    Args:
        home: the folder of the store's runs, if it is known; else they are looked for beside the file.

    Raises:
        StoreError: it is no SQLite file, it is gone while its log or the files of its runs are there, the log
            is another database's, its tables cannot be listed, or it is empty although runs have files.
    """
    _refuse_no_file(file)
    beginning = read_beginning(file, _JOURNAL.stop)
    if beginning and not beginning.startswith(MAGIC):
        raise DamagedStoreError(LEFT_ALONE.format(where=file))
    if not _has_content(log_of(file)):
        if not beginning:
            _refuse_lost(file, file.parent if home is None else home)
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
        if is_damage(error):
            raise DamagedStoreError(LEFT_ALONE.format(where=file)) from error


def read_only(path: str | Path) -> sqlite3.Connection:
    """A connection that never writes the log back, not even when it is the last to close."""
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=BUSY_SECONDS)


def require_sound(connection: sqlite3.Connection) -> None:
    """Read the whole database and compare its tables with their indexes' structure.

    Raises:
        DatabaseError: it is damaged somewhere.
    """
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(f"database disk image is malformed: {found}")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite speaks of a file's content, not of being busy or refused."""
    return "malformed" in str(error) or "not a database" in str(error)


def _refuse_no_file(file: Path) -> None:
    """Refuse what bears the name of a database and can never become one."""
    if file.is_symlink() and not file.exists():
        raise StoreError(
            f"The database {file} is a link to {file.readlink()}, where nothing is; bring that back (is its "
            f"disk mounted?), remove the link, or {ELSEWHERE}."
        )
    if file.exists() and not file.is_file():
        kind = "a folder" if file.is_dir() else "no ordinary file"
        raise StoreError(
            f"The database {file} cannot be opened, as there is {kind} of that name; move it away, put "
            f"a backup in its place if there was a database, or {ELSEWHERE}."
        )


def _refuse_lost(file: Path, home: Path) -> None:
    """Refuse a file that lost its content or is gone: with new tables, it would speak against all files."""
    runs = home / "artifacts" / "runs"
    if home.resolve() != file.parent.resolve() or not any(runs.glob("r-*")):
        return
    is_there = file.exists()
    remove = "remove it and " if is_there else ""
    raise StoreError(
        f"The database {file} is {'empty' if is_there else 'missing'}, but runs have files in {runs}. Put a "
        f"backup in its place; or, to begin anew, {remove}move the folder {runs} away."
    )


def _has_content(log: Path) -> bool:
    return log.is_file() and log.stat().st_size > 0


def _read_without_writing(file: Path) -> None:
    with closing(read_only(file)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        connection.execute("SELECT * FROM alembic_version").fetchall()
