"""Reads the beginning of a database file without getting in SQLite's way.

Closing any descriptor of a file drops all locks that the process holds on it, SQLite's too
(sqlite.org/howtocorrupt.html, 2.2). So one descriptor of each file is kept for as long as a store of this
process has the file open, and whoever wants to look reads through that.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import threading
from dataclasses import dataclass
from pathlib import Path

Identity = tuple[int, int]
"""Device and inode of a file: what stays the same while its name and content change."""

_SHARED_FIRST, _SHARED_SIZE = 0x4000_0002, 510
"""The bytes that SQLite locks while it reads a file (sqlite.org/src/file/src/os.h)."""


@dataclass(slots=True)
class Descriptor:
    """An open file, shared by all who hold it."""

    number: int
    identity: Identity
    users: int = 0


_held: dict[Identity, Descriptor] = {}
_lock = threading.RLock()  # reentrant: a store may be collected as garbage while another one is opened


def hold(path: str) -> Descriptor | None:
    """Keep a file's descriptor open until it is given up; None where the file cannot be opened."""
    with _lock:
        try:
            file = _held.get(identity_of(path)) or _open(path)
        except OSError:
            return None
        file = _held.setdefault(file.identity, file)
        file.users += 1
        return file


def give_up(file: Descriptor) -> None:
    """Close a descriptor once nobody holds it any more."""
    with _lock:
        file.users -= 1
        if not file.users:
            del _held[file.identity]
            os.close(file.number)


def pretend_to_read(file: Descriptor) -> None:
    """Lock a file, until its descriptor is given up, as another process that reads it would.

    SQLite then does not write its log back at the last close. Python 3.12 has
    `setconfig(SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE)` for that. Without effect where locks belong to processes
    alone, as on macOS.
    """
    if hasattr(fcntl, "F_OFD_SETLK"):
        wanted = struct.pack("hhqqi", fcntl.F_RDLCK, os.SEEK_SET, _SHARED_FIRST, _SHARED_SIZE, 0)
        with contextlib.suppress(OSError):  # a network file system may know no locks of this kind
            fcntl.fcntl(file.number, fcntl.F_OFD_SETLK, wanted)


def identity_of(path: str) -> Identity:
    """Which file a name leads to.

    Raises:
        OSError: it leads nowhere.
    """
    found = os.stat(path)  # noqa: PTH116 - making a Path takes longer than the look itself
    return found.st_dev, found.st_ino


def read_beginning(file: Path, length: int) -> bytes:
    """The first bytes of a file, whether or not a store has it open; none where it cannot be read."""
    with _lock:
        try:
            held = _held.get(identity_of(str(file)))
            if held is not None:
                return os.pread(held.number, length, 0)
            with file.open("rb") as opened:
                return opened.read(length)
        except OSError:  # missing, or a folder that cannot be read: SQLite says so in its own words
            return b""


def _open(path: str) -> Descriptor:
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    found = os.fstat(number)
    return Descriptor(number, (found.st_dev, found.st_ino))
