"""Which process is which: identities that survive pid reuse, and signals that reach nobody else."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator

import psutil

from marsseg.execution.cgroups import is_frozen
from marsseg.identity import ProcessIdentity, created_at, is_alive, same_boot, started_with

_POLL = 0.05


def is_suspended(identity: ProcessIdentity) -> bool:
    """Whether the process exists but is not let run: stopped by a signal or a debugger, or frozen."""
    try:
        status = psutil.Process(identity.pid).status()
    except psutil.Error:
        return False
    return status in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP} or is_frozen(identity.pid)


def signal_group(identity: ProcessIdentity, signum: signal.Signals) -> bool:
    """Send a signal to the group that the process leads; False if the process is gone.

    A process that leads no group of its own gets the signal alone. A suspended group is woken, as it
    could not act on a polite signal otherwise.
    """
    if not is_alive(identity):
        return False
    pid = identity.pid
    try:
        leads_own_group = os.getpgid(pid) == pid and pid != os.getpgrp()
        send = os.killpg if leads_own_group else os.kill
        send(pid, signum)
        if signum != signal.SIGKILL:
            send(pid, signal.SIGCONT)
    except ProcessLookupError:
        return False
    return True


def end_orphans(identity: ProcessIdentity) -> int:
    """Kill what a dead session leader left behind in its session; returns how many processes that were.

    The kernel does not hand out a pid while a session goes by its number, so members found while no
    other process has the pid belong to the leader that `identity` names.
    """
    if not same_boot(identity) or is_alive(identity) or _pid_taken(identity):
        return 0
    members = list(_session_members(identity.pid))
    for member in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    return len(members)


def wait_until_gone(identity: ProcessIdentity, timeout: float) -> bool:
    """Wait up to `timeout` seconds for the process to end (a zombie has); returns whether it did.

    Looks instead of reaping, so that the exit code stays with whoever launched the process.
    """
    deadline = time.monotonic() + timeout
    while is_alive(identity):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)
    return True


def terminate(identity: ProcessIdentity, grace: float) -> bool:
    """End a process and its group: SIGTERM, up to `grace` seconds of patience, then SIGKILL.

    Returns whether there was anything to end. A pid that belongs to another process by now is not touched.
    """
    if not signal_group(identity, signal.SIGTERM):
        return end_orphans(identity) > 0
    if not wait_until_gone(identity, grace):
        signal_group(identity, signal.SIGKILL)
        wait_until_gone(identity, grace)
    end_orphans(identity)
    return True


def _pid_taken(identity: ProcessIdentity) -> bool:
    """Whether the pid went to another process (a zombie of the old one does not count)."""
    try:
        return not started_with(created_at(psutil.Process(identity.pid)), identity)
    except psutil.Error:
        return False


def _session_members(session: int) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except (psutil.Error, OSError):
            continue
