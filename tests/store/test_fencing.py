"""Launch tokens: only the process of the current launch writes to a run."""

from __future__ import annotations

import pytest

from marsseg.errors import NotFoundError, StateError
from marsseg.store import RunStore
from marsseg.store.records import DatasetRecord, LeaseRecord, RunStatus
from tests.store.building import claim, identity, start_run
from tests.store.test_transitions import CALLS

BY_PEOPLE = {"request_stop", "stop now", "requeue", "archive", "set_priority", "move_queued", "extend"}
FENCED = {name: call for name, call in CALLS.items() if name not in BY_PEOPLE}


@pytest.fixture
def relaunched(store: RunStore, dataset: DatasetRecord) -> tuple[str, str, str]:
    """A run that was lost and launched again: its id, the token of the first launch, and of the second."""
    run_id, old = start_run(store, dataset)
    store.mark_lost(run_id, old, "Not seen for a minute.")
    store.requeue(run_id)
    _, new = claim(store)
    store.worker_started(run_id, new, identity(new, pid=4343))
    return run_id, old, new


@pytest.mark.parametrize("call", FENCED)
def test_an_earlier_launch_cannot_write(store: RunStore, relaunched: tuple[str, str, str], call: str) -> None:
    run_id, old, _ = relaunched
    before, version = store.get_run(run_id), store.version()
    with pytest.raises(StateError, match=f"{run_id} was launched again"):
        FENCED[call](store, run_id, old)
    assert store.get_run(run_id) == before
    assert store.version() == version


@pytest.mark.parametrize("call", FENCED)
def test_the_current_launch_can(store: RunStore, relaunched: tuple[str, str, str], call: str) -> None:
    run_id, _, new = relaunched
    if call == "worker_started":
        store.worker_started(run_id, new, identity(new, pid=4343))
    else:
        FENCED[call](store, run_id, new)


@pytest.mark.parametrize("call", FENCED)
def test_a_deleted_run_is_not_found(store: RunStore, dataset: DatasetRecord, call: str) -> None:
    run_id, token = start_run(store, dataset)
    store.finish(run_id, token, RunStatus.FAILED, "")
    store.delete_runs([run_id])
    with pytest.raises(NotFoundError, match=run_id):
        FENCED[call](store, run_id, token)


def test_while_queued_again_nobody_can_write(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    store.mark_lost(run_id, token, "Vanished.")
    store.requeue(run_id)
    with pytest.raises(StateError):
        store.heartbeat(run_id, token)


def test_two_processes_cannot_share_a_launch(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    with pytest.raises(StateError, match="belongs to process 4242"):
        store.worker_started(run_id, token, identity(token, pid=777))
    assert store.get_run(run_id).process == identity(token)


BY_A_SCHEDULER = {
    "mark_lost": lambda s, run, token, lease: s.mark_lost(run, token, "Vanished.", lease=lease),
    "finish": lambda s, run, token, lease: s.finish(run, token, RunStatus.FAILED, "Killed.", lease=lease),
    "note_overdue": lambda s, run, token, lease: s.note_overdue(run, token, "Hangs.", lease=lease),
}


@pytest.mark.parametrize("call", BY_A_SCHEDULER)
def test_a_scheduler_that_lost_its_lease_buries_nobody(
    store: RunStore, dataset: DatasetRecord, call: str
) -> None:
    run_id, token = start_run(store, dataset)
    old = store.acquire_lease("scheduler", "first", now=0, ttl=10)
    new = store.acquire_lease("scheduler", "second", now=11, ttl=10)
    assert old is not None
    assert new is not None
    before = store.get_run(run_id), store.version()
    for stale in (LeaseRecord("scheduler", "first", 10, old), LeaseRecord("scheduler", "second", 21, old)):
        with pytest.raises(StateError, match="scheduler lease has passed to another process"):
            BY_A_SCHEDULER[call](store, run_id, token, stale)
    assert (store.get_run(run_id), store.version()) == before
    BY_A_SCHEDULER[call](store, run_id, token, LeaseRecord("scheduler", "second", 21, new))
    assert store.get_run(run_id) != before[0]


def test_a_lease_that_was_given_back_buries_nobody(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    fence = store.acquire_lease("scheduler", "first", now=0, ttl=10)
    assert fence is not None
    store.release_lease("scheduler", "first", fence)
    with pytest.raises(StateError, match="passed to another"):
        store.mark_lost(run_id, token, "Vanished.", lease=LeaseRecord("scheduler", "first", 10, fence))
    assert store.get_run(run_id).status is RunStatus.RUNNING
