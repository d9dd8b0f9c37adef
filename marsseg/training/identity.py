"""What tells this process from any other: the worker signs its launch with it.

`marsseg.execution.processes` recognises a worker by the same three values, and a test compares them: neither
room may know the other.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil

from marsseg.store.records import ProcessIdentity

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def own_identity(token: str) -> ProcessIdentity:
    """Identify the running process; `token` is that of its launch."""
    created_at = psutil.Process().create_time()
    if sys.platform == "linux":  # since boot, so that setting the clock changes nothing
        created_at -= psutil.boot_time()
    return ProcessIdentity(os.getpid(), created_at, _boot_id(), token)


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return f"boot-{psutil.boot_time():.0f}"
