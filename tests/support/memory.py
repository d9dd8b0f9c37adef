"""How much memory a process has held at once, measured from now on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_PROCESS = Path("/proc/self")
_FORGET_THE_PEAK = "5"  # see `man 5 proc_pid_clear_refs`


class PeakMemory:
    """Resident memory beyond what the process holds when this is made.

    `ru_maxrss` of `getrusage` would not do: a child begins with the peak of its parent, and no peak is ever
    forgotten. `tracemalloc` sees only what Python allocates. Skips the test where Linux cannot tell.
    """

    def __init__(self) -> None:
        if not sys.platform.startswith("linux"):
            pytest.skip("only Linux forgets a peak of memory")
        (_PROCESS / "clear_refs").write_text(_FORGET_THE_PEAK)
        self._before = _kibibytes("VmRSS")

    def mebibytes(self) -> float:
        """The most that was held at once since then, on top of what there was."""
        return (_kibibytes("VmHWM") - self._before) / 1024


def _kibibytes(field: str) -> int:
    lines = (_PROCESS / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))
