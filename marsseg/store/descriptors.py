"""Reads the beginning of a database file without getting in SQLite's way.

Closing any descriptor of a file drops all locks that the process holds on it, SQLite's too
(sqlite.org/howtocorrupt.html, 2.2). So one descriptor of each file is kept for as long as a store of this
process has the file open, and whoever wants to look reads through that.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

Identity = tuple[int, int]
"""Device and inode of a file: what stays the same while its name and content change."""


@dataclass(slots=True)
class Descriptor:
    """An open file, shared by all who hold it."""

    number: int
    identity: Identity
    users: int = 0


_SHARED_FIRST, _SHARED_SIZE = 0x4000_0002, 510
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


@contextmanager
def share(file: Descriptor) -> Iterator[None]:
    """Let nobody have the file for itself during the block, not even this process.

    A lock that belongs to the open file, not to the process, holds SQLite's own off (man 2 fcntl_locking),
    on the bytes where SQLite asks for it (sqlite.org/c3ref/io_methods.html, os.h: `SHARED_FIRST`).
    """
    command = getattr(fcntl, "F_OFD_SETLK", None)
    if command is None:  # not on this system
        yield
        return
    _lock_bytes(file, command, fcntl.F_RDLCK)
    try:
        yield
    finally:
        _lock_bytes(file, command, fcntl.F_UNLCK)


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


def _lock_bytes(file: Descriptor, command: int, kind: int) -> None:
    with suppress(OSError):  # someone has the file for himself: then we do not get it either
        fcntl.fcntl(
            file.number, command, struct.pack("hhqqi", kind, os.SEEK_SET, _SHARED_FIRST, _SHARED_SIZE, 0)
        )


def _open(path: str) -> Descriptor:
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    found = os.fstat(number)
    return Descriptor(number, (found.st_dev, found.st_ino))
