"""What tells a process from any other that ever had its pid: workers sign with it, schedulers look for it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

TOKEN_VARIABLE = "MARSSEG_LAUNCH_TOKEN"
"""Where a worker finds the launch token that it signs with."""
_TOLERANCE = 0.05  # seconds; the kernel counts process starts in ticks of 0.01
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process of one boot of the machine.

    Args:
        pid: process id.
        created_at: seconds, as `identify` gives them: on Linux since boot, elsewhere since 1970.
        boot_id: identifies the machine's current boot.
        token: random text given to a worker at launch; the store refuses writes with another one. Empty
            for a process that writes nothing.
    """

    pid: int
    created_at: float
    boot_id: str
    token: str


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a lease.

    Args:
        since: seconds since the epoch.
        slots: how many runs a scheduler lets train at once; 0 where that is not told.
    """

    process: ProcessIdentity
    since: float
    slots: int = 0

    def to_text(self) -> str:
        """What stands in the lease's owner column; `from_text` reads it."""
        process = self.process
        return json.dumps([process.pid, process.created_at, process.boot_id, self.since, self.slots])

    @classmethod
    def from_text(cls, text: str) -> Holder | None:
        """The holder that an owner column names; None if it was not written by `to_text`."""
        try:
            pid, created_at, boot_id, since, *more = json.loads(text)  # earlier versions told no slots
            process = ProcessIdentity(int(pid), float(created_at), str(boot_id), "")
            return cls(process, float(since), int(*more))
        except (ValueError, TypeError):
            return None


@cache
def boot_id() -> str:
    """Text that stands for the machine's current boot."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return f"boot-{psutil.boot_time():.0f}"


def created_at(process: psutil.Process) -> float:
    """Creation time in seconds; on Linux since boot, which no correction of the clock moves."""
    seconds = process.create_time()
    return seconds - psutil.boot_time() if sys.platform == "linux" else seconds


def identify(pid: int, token: str = "") -> ProcessIdentity | None:
    """What tells the process that has `pid` now from any other; None if there is none, or only a zombie."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else _describe(process, token)
    except (psutil.Error, ValueError):
        return None


def own_identity(token: str) -> ProcessIdentity:
    """What tells the running process from any other; `token` is that of its launch."""
    return _describe(psutil.Process(), token)


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether this very process still runs: same boot, same pid, same creation time, no zombie."""
    current = identify(identity.pid)
    return current is not None and same_boot(identity) and started_with(current.created_at, identity)


def same_boot(identity: ProcessIdentity) -> bool:
    """Whether the machine has not been restarted since the process was identified."""
    return identity.boot_id == boot_id()


def started_with(seconds: float, identity: ProcessIdentity) -> bool:
    """Whether a process that was created then is the one that was identified, whose pid may be taken."""
    return abs(seconds - identity.created_at) < _TOLERANCE


def _describe(process: psutil.Process, token: str) -> ProcessIdentity:
    return ProcessIdentity(process.pid, created_at(process), boot_id(), token)
