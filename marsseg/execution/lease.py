"""The lease that makes a scheduler the only one of its store, and who holds it.

All processes of one store run on one machine, so the holder's process is looked at directly: a dead
holder's lease is free at once, not only when it expires.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace

from marsseg.errors import StateError
from marsseg.identity import Holder, identify, is_alive
from marsseg.store import RunStore
from marsseg.store.leases import SCHEDULER
from marsseg.store.records import LeaseRecord

SCHEDULER_LAUNCH = "scheduler launch"


def own_name(slots: int = 0) -> str:
    """This process as an owner text, with the slots that it serves if it is a scheduler.

    Raises:
        StateError: the system does not let a process see itself.
    """
    holder = holder_of(os.getpid())
    if holder is None:
        raise StateError("This process cannot find itself among the processes; is /proc mounted?")
    return replace(holder, slots=slots).to_text()


def holder_of(pid: int) -> Holder | None:
    """A process as a holder from now on; None if there is no such process."""
    process = identify(pid)
    return Holder(process, time.time()) if process else None


def find_holder(store: RunStore, name: str, now: float) -> Holder | None:
    """Who holds a lease: its process lives and the lease has not expired."""
    lease = store.find_lease(name)
    if lease is None or lease.expires_at <= now:
        return None
    holder = Holder.from_text(lease.owner)
    return holder if holder and is_alive(holder.process) else None


def take_lease(store: RunStore, name: str, owner: str, now: float, ttl: float) -> int | None:
    """Acquire a lease that is free, expired, or held by a dead process; None if it is held."""
    token = store.acquire_lease(name, owner, now, ttl)
    if token is not None:
        return token
    lease = store.find_lease(name)
    holder = Holder.from_text(lease.owner) if lease else None
    if lease and holder and not is_alive(holder.process):
        store.release_lease(name, lease.owner, lease.token)  # of two who see this, one acquires below
        return store.acquire_lease(name, owner, now, ttl)
    return None


class SchedulerLease:
    """This process's hold on the scheduler lease; `slots` is what it tells those who ask who holds it."""

    def __init__(self, store: RunStore, ttl: float, slots: int = 0) -> None:
        self._store = store
        self._ttl = ttl
        self._slots = slots
        self._owner = ""
        self._token: int | None = None
        self._renewed_at = 0.0

    @property
    def current(self) -> LeaseRecord | None:
        """The lease as the store knows it, to fence writes with; None once it is lost."""
        if self._token is None:
            return None
        return LeaseRecord(SCHEDULER, self._owner, self._renewed_at + self._ttl, self._token)

    def acquire(self, now: float) -> bool:
        """Try to become the scheduler; False while another one lives."""
        self._owner = own_name(self._slots)
        self._token = take_lease(self._store, SCHEDULER, self._owner, now, self._ttl)
        self._renewed_at = now
        return self._token is not None

    def hold(self, now: float) -> bool:
        """Renew when a third of the lease is used up, or the clock was moved; False once another has it."""
        if self._token is None:
            return False
        if 0 <= now - self._renewed_at < self._ttl / 3:
            return True
        if self._store.renew_lease(SCHEDULER, self._owner, self._token, now, self._ttl):
            self._renewed_at = now  # not before: a renewal that the store refused is due again at once
        else:
            self._token = None
        return self._token is not None

    def require(self) -> None:
        """Ask the store right before something that must not happen twice, such as a signal.

        Raises:
            StateError: the lease has passed to another process.
        """
        if not self.is_held():
            raise StateError("The scheduler lease has passed to another process; this one must end.")

    def is_held(self) -> bool:
        """Whether the store still names this process as the scheduler; once it does not, that is final."""
        if self._token is not None:
            lease = self._store.find_lease(SCHEDULER)
            if lease is None or (lease.owner, lease.token) != (self._owner, self._token):
                self._token = None
        return self._token is not None

    def release(self) -> None:
        """Give the lease up, if it is still ours."""
        if self._token is not None:
            release_launch_lease(self._store)
            self._store.release_lease(SCHEDULER, self._owner, self._token)
            self._token = None


def release_launch_lease(store: RunStore) -> None:
    """Stop standing for "one is being launched": whoever finds no scheduler may launch the next."""
    lease = store.find_lease(SCHEDULER_LAUNCH)
    holder = Holder.from_text(lease.owner) if lease else None
    if lease and holder and holder.process.pid == os.getpid():
        store.release_lease(SCHEDULER_LAUNCH, lease.owner, lease.token)
