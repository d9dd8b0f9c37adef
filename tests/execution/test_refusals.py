"""A store that can be read but not written, as on a full disk: here by a lock of another program."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator

import pytest

from marsseg.errors import StoreError
from marsseg.execution.clocks import Deadlines
from marsseg.execution.lease import SchedulerLease
from marsseg.execution.rounds import Scheduler
from marsseg.settings import Settings
from marsseg.store import RunStore, engine
from marsseg.store.leases import SCHEDULER
from tests.execution.conftest import SMALL_WORKER

BUSY_SECONDS = 0.2
REFUSAL_SECONDS = 1.0


@pytest.fixture
def impatient(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunStore]:
    """A store whose writers wait only for a moment."""
    monkeypatch.setattr(engine, "BUSY_SECONDS", BUSY_SECONDS)
    with contextlib.closing(RunStore.open(settings)) as store:
        yield store


@contextlib.contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """Let nobody else write."""
    with contextlib.closing(sqlite3.connect(settings.home / "runs.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("ROLLBACK")


def test_a_renewal_that_was_refused_is_due_again_at_once(settings: Settings, impatient: RunStore) -> None:
    lease = SchedulerLease(impatient, ttl=15)
    now = time.time()
    assert lease.acquire(now)

    with locked(settings):
        for later in (6, 7):
            with pytest.raises(StoreError, match="stayed busy"):
                lease.hold(now + later)

    assert lease.hold(now + 8)
    assert impatient.find_lease(SCHEDULER).expires_at == now + 8 + 15


def test_a_scheduler_gives_up_a_store_that_it_can_only_read(
    settings: Settings, impatient: RunStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Each refused round lasts as long as a writer waits, far longer than the interval between two rounds."""
    deadlines = Deadlines(interval=0.01, lease=3, refusal=REFUSAL_SECONDS)
    scheduler = Scheduler(settings, impatient, deadlines=deadlines, worker_module=SMALL_WORKER, gpus=())
    assert scheduler.initialize(time.time())

    with locked(settings), pytest.raises(StoreError, match="stayed busy"):
        scheduler.run()

    refused = [record for record in caplog.records if "stayed busy" in record.message]
    assert 1 < len(refused) <= 2 * REFUSAL_SECONDS / BUSY_SECONDS
    scheduler.shutdown()
