"""Whether the kernel killed a worker because memory ran out: said only when the kernel says so itself.

It does in two places: a counter of the process's control group, and its log, which also tells how much
memory the process held.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from marsseg.execution.cgroups import oom_counter, read_entry
from marsseg.identity import ProcessIdentity

_KERNEL_LOG = Path("/dev/kmsg")
_INITIAL_NAMESPACE = "pid:[4026531836]"
"""The kernel's log speaks in process ids of this namespace; the number is fixed in the kernel's source."""
_KILLED = re.compile(r"out of memory.*?: Kill(?:ed)? process (\d+)\b(.*)", re.IGNORECASE)
_RESIDENT = re.compile(r"(?:anon|file|shmem)-rss:(\d+)kB")
_REMEMBERED = 10.0
"""For how many seconds a kill is remembered: a large process needs some to die of it."""
_CLOCK_MARGIN = 300.0
"""Seconds by which the log's own clock may lag behind after weeks."""


@dataclass(frozen=True, slots=True)
class OutOfMemory:
    """A kill for want of memory, and how much the process held then where that is known."""

    held_bytes: int | None = None

    def sentence(self) -> str:
        """What happened, and what to do."""
        held = f"; it held {self.held_bytes / 1e9:.1f} GB then" if self.held_bytes else ""
        return (
            f"Out of memory: the kernel killed the worker (signal 9, SIGKILL){held}. "
            "Free memory or let fewer runs train at once, then resume the run."
        )


class OomCounter:
    """Follows the counter of a worker's group, so that only a kill at the time of its death counts.

    Groups may change, and an exiting process seems to be in the root group; so each reading is compared
    with what the same file says in the end.
    """

    def __init__(self) -> None:
        self._readings: deque[tuple[float, Path, int]] = deque()

    def look(self, pid: int, at: float) -> None:
        """Read the counter of a living process, or of its launcher just before; `at` is the awake clock."""
        file = oom_counter(pid)
        kills = read_entry(file, "oom_kill") if file else None
        if file is None or kills is None:
            return
        self._readings.append((at, file, kills))
        while len(self._readings) > 1 and self._readings[1][0] <= at - _REMEMBERED:
            self._readings.popleft()

    def has_risen(self) -> bool:
        """Whether somebody in the group was killed in the last seconds."""
        return any((read_entry(file, "oom_kill") or 0) > kills for _, file, kills in self._readings)


def find_oom_kill(process: ProcessIdentity, counter: OomCounter) -> OutOfMemory | None:
    """What the kernel knows about the end of a process that is gone; None if memory had no part in it."""
    if speaks_of_our_pids():
        for text in reversed(list(kernel_log(_since(process)))):
            if found := parse_kill(text, process.pid):
                return found
    return OutOfMemory() if counter.has_risen() else None


def parse_kill(text: str, pid: int) -> OutOfMemory | None:
    """Understand one line of the kernel's log; None if it does not say that this process was killed."""
    killed = _KILLED.search(text)
    if killed is None or int(killed[1]) != pid:
        return None
    held = 1024 * sum(map(int, _RESIDENT.findall(killed[2])))
    return OutOfMemory(held or None)


def kernel_log(since: float) -> Iterator[str]:
    """Lines of the kernel's log from `since` (seconds on its own clock) on; none where it cannot be read."""
    try:
        log = os.open(_KERNEL_LOG, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return
    with contextlib.closing(os.fdopen(log, "rb", buffering=0)) as records:
        while record := _next_record(records.fileno()):
            facts, _, text = record.decode(errors="replace").partition(";")
            if float(facts.split(",")[2]) / 1e6 >= since:
                yield text


def speaks_of_our_pids() -> bool:
    """Whether process ids in the kernel's log are those that we see; not so inside a container."""
    try:
        return os.readlink("/proc/self/ns/pid") == _INITIAL_NAMESPACE  # noqa: PTH115 - it is no path
    except OSError:
        return False


def _next_record(log: int) -> bytes:
    """One record; empty at the end of the log."""
    while True:
        try:
            return os.read(log, 8192)
        except BrokenPipeError:  # overwritten while we read; the next one is there
            continue
        except OSError:
            return b""


def _since(process: ProcessIdentity) -> float:
    """A reading of the log's clock, which stands still while the machine sleeps, from before the launch."""
    asleep = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    return process.created_at - asleep - _CLOCK_MARGIN
