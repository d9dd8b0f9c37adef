"""The scheduler seen from pages and commands: is one alive, and if not, start one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from marsseg.errors import MarsSegError
from marsseg.execution.launch import launch_scheduler
from marsseg.execution.lease import SCHEDULER, SCHEDULER_LAUNCH, find_holder, holder_of, own_name, take_lease
from marsseg.settings import Settings
from marsseg.store import RunStore

_LAUNCH_SECONDS = 30.0
"""How long a launched scheduler may take to get to its lease before another one is launched."""


@dataclass(frozen=True, slots=True)
class SchedulerStatus:
    """Whether a scheduler serves the store, its process id, and since when (seconds since the epoch)."""

    alive: bool
    pid: int | None = None
    since: float | None = None


def scheduler_status(store: RunStore) -> SchedulerStatus:
    """Look at the lease and at the process that holds it."""
    holder = find_holder(store, SCHEDULER, time.time())
    if holder is None:
        return SchedulerStatus(alive=False)
    return SchedulerStatus(alive=True, pid=holder.process.pid, since=holder.since)


def ensure_scheduler(
    settings: Settings, *, store: RunStore | None = None, arguments: Sequence[str] = ()
) -> None:
    """Start a scheduler that outlives this process, unless one is alive or being started.

    Call it after queueing: a scheduler that ends looks at the queue once more after giving up its lease.

    Args:
        store: the open store of `settings`, if at hand.
        arguments: command line of the scheduler, see `python -m marsseg.execution.scheduler --help`.

    Raises:
        MarsSegError: the process cannot be started.
        StoreError: the store cannot be opened or written.
    """
    store = store or RunStore.open(settings)
    if scheduler_status(store).alive:
        return
    owner = own_name()
    token = take_lease(store, SCHEDULER_LAUNCH, owner, time.time(), _LAUNCH_SECONDS)
    if token is None:
        return
    pid = None
    try:
        if not scheduler_status(store).alive:
            pid = launch_scheduler(settings, arguments).pid
    except OSError as error:
        raise MarsSegError(
            f"The scheduler could not be started ({error}); the run stays queued. "
            "Mend that, then start or resume any run."
        ) from error
    finally:
        store.release_lease(SCHEDULER_LAUNCH, owner, token)
    _hand_over(store, pid)


def _hand_over(store: RunStore, pid: int | None) -> None:
    """Let the new process itself stand for "being started", so that its death ends that."""
    scheduler = holder_of(pid) if pid else None
    if scheduler:
        store.acquire_lease(SCHEDULER_LAUNCH, scheduler.to_text(), time.time(), _LAUNCH_SECONDS)
