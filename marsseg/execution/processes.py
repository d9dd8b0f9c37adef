"""Which process is which: identities that survive pid reuse, and signals that reach nobody else."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator

import psutil

from marsseg.execution.cgroups import is_frozen
from marsseg.identity import TOKEN_VARIABLE, ProcessIdentity, created_at, is_alive, same_boot, started_with

_LOOKS, _BETWEEN_LOOKS = 20, 0.01
"""Seconds between; a program is loaded within a few of them."""


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
    """Kill what a dead worker left behind in its session; returns how many processes that were.

    Ours are those that hold its launch token. The number of the session alone says nothing: once that is
    empty another one may go by it, and a container that is restarted keeps the boot and counts anew.
    """
    if not same_boot(identity) or is_alive(identity) or _pid_taken(identity):
        return 0
    members = list(_session_members(identity))
    for member in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    return len(members)


def _pid_taken(identity: ProcessIdentity) -> bool:
    """Whether the pid went to another process (a zombie of the old one does not count)."""
    try:
        return not started_with(created_at(psutil.Process(identity.pid)), identity)
    except psutil.Error:
        return False


def _session_members(leader: ProcessIdentity) -> Iterator[psutil.Process]:
    """Living processes of the session that the leader made, and of its launch; none without a token."""
    for process in psutil.process_iter():
        try:
            is_near = os.getsid(process.pid) == leader.pid and process.status() != psutil.STATUS_ZOMBIE
            if is_near and leader.token and _token_of(process) == leader.token:
                yield process
        except (psutil.Error, OSError):
            continue


def _token_of(process: psutil.Process) -> str:
    """The launch token that a process was started with, or "".

    A process that is just becoming another program shows no environment for a moment; it is looked at again.
    """
    for _ in range(_LOOKS):
        environment = process.environ()
        if environment:
            return environment.get(TOKEN_VARIABLE, "")
        time.sleep(_BETWEEN_LOOKS)
    return ""
