"""The file of a SQLite store: is it still the one that this process opened, and still a database?

SQLite itself asks neither. It would write on into a file that was moved away, and its log (`-wal`) into one
that is full of noise by now: after a thousand pages, and whenever the last connection is closed.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from marsseg.errors import DamagedStoreError, MovedStoreError
from marsseg.store.descriptors import Descriptor, give_up, hold, identity_of, pretend_to_read
from marsseg.store.refusals import NO_LONGER_WRITTEN
from marsseg.store.soundness import MAGIC, is_damage, read_only, require_sound

_HEADER_BYTES = 100
_PAGE_SIZE, _CHANGES, _PAGES, _COUNTED_AT = slice(16, 18), slice(24, 28), slice(28, 32), slice(92, 96)
"""Where the header says how long a page is and how many there are (sqlite.org/fileformat.html, 1.3)."""
_LARGEST_PAGE = 65_536
"""Too large for its two bytes, which hold 1 in its stead."""
_MOVED = (
    "The database {where} was moved, removed or replaced while this process was running, and is not written "
    "to any more; put the right file in its place, then restart the app."
)


class FileWatch:
    """Knows which file the first connection of a store has opened; may be shared by threads.

    Args:
        where: the file as sentences name it.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._path = str(Path(where.removeprefix("file:")).absolute())
        self._file: Descriptor | None = None
        self._sound: tuple[int, bytes] | None = None
        self._is_damaged = False
        self._lock = threading.Lock()

    def note_opened(self) -> None:
        """Hear that a connection was opened: the first decides which file is watched.

        Raises:
            MovedStoreError: it has another file open than those before it.
        """
        with self._lock:
            if self._file is None:
                self._file = hold(self._path)
                return
        self._require_same(self._file)

    def note_damage(self) -> None:
        """Hear that SQLite found damage: its log must not be written into the file at the end."""
        self._is_damaged = True

    def require(self) -> None:
        """Look before something is read or written; three system calls, some microseconds.

        Raises:
            MovedStoreError: the file's name leads to another file, or nowhere.
            DamagedStoreError: it is no database any more, or was cut off.
        """
        if self._file is not None:
            self._require_same(self._file)
            self._require_whole(self._file)

    @contextmanager
    def ending(self) -> Iterator[None]:
        """The block closes all connections; the next one decides anew which file is watched.

        From a damaged file, SQLite is kept away when it would write its log back into it.
        """
        if self._file is not None and self._looks_damaged():
            pretend_to_read(self._file)
        yield
        with self._lock:
            file, self._file, self._sound, self._is_damaged = self._file, None, None, False
        if file is not None:
            give_up(file)

    def _require_same(self, file: Descriptor) -> None:
        try:
            is_same = identity_of(self._path) == file.identity
        except (FileNotFoundError, NotADirectoryError):
            is_same = False
        except OSError:  # a disk in trouble: SQLite says so in its own words
            return
        if not is_same:
            raise MovedStoreError(_MOVED.format(where=self._where))

    def _require_whole(self, file: Descriptor) -> None:
        try:
            seen = os.fstat(file.number).st_size, os.pread(file.number, _HEADER_BYTES, 0)
        except OSError:
            return
        if seen == self._sound:
            return
        is_new = seen == (0, b"") and self._sound is None
        if not is_new and not self._is_whole(*seen):
            raise DamagedStoreError(NO_LONGER_WRITTEN.format(where=self._where))
        self._sound = seen

    def _is_whole(self, size: int, header: bytes) -> bool:
        if not header.startswith(MAGIC):
            return False
        # The first page may be written back before the pages that it counts: they are still in the log then.
        return size >= _counted_bytes(header) or self._can_be_read()

    def _can_be_read(self) -> bool:
        """Whether all is there, for a connection that remembers no page of before."""
        with closing(read_only(self._path)) as connection:
            try:
                require_sound(connection)
            except sqlite3.DatabaseError as error:
                return not is_damage(error)
        return True

    def _looks_damaged(self) -> bool:
        try:
            self.require()
        except DamagedStoreError:
            return True
        except MovedStoreError:  # SQLite writes nothing back into a file that was moved
            return False
        return self._is_damaged


def _counted_bytes(header: bytes) -> int:
    """How long a file says it is; 0 where an old SQLite did not keep count."""
    if header[_CHANGES] != header[_COUNTED_AT]:
        return 0
    page = int.from_bytes(header[_PAGE_SIZE], "big")
    return int.from_bytes(header[_PAGES], "big") * (_LARGEST_PAGE if page == 1 else page)
