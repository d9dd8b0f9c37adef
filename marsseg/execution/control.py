"""The scheduler seen from pages and commands: is one alive, and if not, start one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from marsseg.errors import MarsSegError
from marsseg.execution.devices import slot_count
from marsseg.execution.launch import last_log_line, launch_scheduler
from marsseg.execution.lease import SCHEDULER_LAUNCH, find_holder, holder_of, own_name, take_lease
from marsseg.execution.watch import Watch
from marsseg.identity import is_alive
from marsseg.settings import Settings
from marsseg.store import RunStore
from marsseg.store.leases import SCHEDULER
from marsseg.store.records import ACTIVE

_LAUNCH_SECONDS = 30.0
"""How long a launched scheduler may take to get to its lease before another one is launched."""


@dataclass(frozen=True, slots=True)
class SchedulerStatus:
    """Whether a scheduler serves the store.

    Args:
        pid: its process id.
        since: seconds since the epoch.
        slots: how many runs it lets train at once; 0 where that is not known.
    """

    alive: bool
    pid: int | None = None
    since: float | None = None
    slots: int = 0


def scheduler_status(store: RunStore) -> SchedulerStatus:
    """Look at the lease and at the process that holds it."""
    holder = find_holder(store, SCHEDULER, time.time())
    if holder is None:
        return SchedulerStatus(alive=False)
    return SchedulerStatus(alive=True, pid=holder.process.pid, since=holder.since, slots=holder.slots)


def slots_in_use(settings: Settings, store: RunStore) -> int:
    """How many runs may train at once: as the scheduler that serves was told, or as the next one will be."""
    return scheduler_status(store).slots or slot_count(settings)


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


def settle(settings: Settings, store: RunStore) -> list[str]:
    """Say at once what became of workers that died with the scheduler; returns the ids of their runs.

    Who looks must not be told that a dead worker runs, only because the next scheduler has not looked yet. A
    living scheduler knows more, such as exit codes, and is left to say it. Runs whose worker has not reported
    are the next scheduler's. No lease is needed: the launch token allows one such word, whoever says it.
    """
    if scheduler_status(store).alive:
        return []
    lost = []
    for run in store.list_runs(statuses=ACTIVE):
        if run.process and not is_alive(run.process):
            watch = Watch(run.id, run.process.token, run.process, lambda: None)
            watch.clear_up()
            reason = watch.cause_of_end(last_log_line(settings, run.id))
            if store.mark_lost(run.id, run.process.token, reason):
                lost.append(run.id)
    return lost


def _hand_over(store: RunStore, pid: int | None) -> None:
    """Let the new process itself stand for "being started", so that its death ends that."""
    scheduler = holder_of(pid) if pid else None
    if scheduler:
        store.acquire_lease(SCHEDULER_LAUNCH, scheduler.to_text(), time.time(), _LAUNCH_SECONDS)
