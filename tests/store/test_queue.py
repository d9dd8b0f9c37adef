"""The queue: order of start, moves, priorities, slots."""

from __future__ import annotations

from typing import Any

import pytest

from marsseg.errors import ConfigError, NotFoundError, StateError
from marsseg.store import RunStore
from marsseg.store.records import DatasetRecord, LeaseRecord, RunStatus
from tests.store.building import claim, new_run, queue_runs, run_in


def names(store: RunStore) -> str:
    return "".join(run.name for run in store.queue())


def test_first_come_first_served(store: RunStore, dataset: DatasetRecord) -> None:
    queue_runs(store, dataset, "abc")
    assert names(store) == "abc"
    assert [claim(store)[0].name for _ in "abc"] == ["a", "b", "c"]
    assert store.claim_next(100) is None


def test_higher_priority_goes_first(store: RunStore, dataset: DatasetRecord) -> None:
    for name, priority in (("a", 0), ("b", -1), ("c", 5), ("d", 0)):
        store.add_run(new_run(dataset, name, priority=priority))
    assert names(store) == "cadb"


@pytest.mark.parametrize(
    ("moved", "direction", "order"),
    [
        ("c", "up", "acbd"),
        ("c", "down", "abdc"),
        ("c", "top", "cabd"),
        ("a", "up", "abcd"),
        ("d", "down", "abcd"),
        ("a", "top", "abcd"),
        ("d", "top", "dabc"),
    ],
)
def test_moving(store: RunStore, dataset: DatasetRecord, moved: str, direction: Any, order: str) -> None:
    ids = dict(zip("abcd", queue_runs(store, dataset, "abcd"), strict=True))
    store.move_queued(ids[moved], direction)
    assert names(store) == order
    queue_runs(store, dataset, "e")
    assert names(store) == order + "e"


def test_moving_past_another_priority_takes_it_on(store: RunStore, dataset: DatasetRecord) -> None:
    high, low, last = (
        store.add_run(new_run(dataset, name, priority=p)).id for name, p in (("h", 3), ("m", 1), ("l", 0))
    )
    store.move_queued(last, "up")
    assert names(store) == "hlm"
    store.move_queued(high, "down")
    assert names(store) == "lhm"
    store.move_queued(low, "top")
    assert names(store) == "mlh"


def test_a_new_priority_goes_behind_its_like(store: RunStore, dataset: DatasetRecord) -> None:
    a, b, c = queue_runs(store, dataset, "abc")
    store.set_priority(c, 2)
    assert names(store) == "cab"
    store.set_priority(a, 2)
    assert names(store) == "cab"
    store.set_priority(c, 0)
    assert names(store) == "abc"
    store.set_priority(b, -1)
    assert names(store) == "acb"
    assert store.get_run(b).priority == -1


@pytest.mark.parametrize("priority", [1_001, -1_001, 10**30])
def test_a_priority_beyond_reason_is_refused(store: RunStore, dataset: DatasetRecord, priority: int) -> None:
    run_id = queue_runs(store, dataset, "a")[0]
    with pytest.raises(ConfigError, match="priority: must be from -1000 to 1000; got"):
        store.set_priority(run_id, priority)
    with pytest.raises(ConfigError, match="priority"):
        store.add_run(new_run(dataset, priority=priority))
    assert [run.priority for run in store.list_runs()] == [0]


def test_a_move_that_changes_nothing_is_no_event(store: RunStore, dataset: DatasetRecord) -> None:
    first, _ = queue_runs(store, dataset, "ab")
    before = store.version()
    store.move_queued(first, "up")
    assert store.version() == before


def test_slots_bound_what_is_active(store: RunStore, dataset: DatasetRecord) -> None:
    queue_runs(store, dataset, "abcd")
    assert store.claim_next(0) is None
    run, token = claim(store, slots=2)
    claim(store, slots=2)
    assert store.claim_next(2) is None
    store.finish(run.id, token, RunStatus.FAILED, "No memory.")
    assert claim(store, slots=2)[0].name == "c"
    assert store.claim_next(2) is None


@pytest.mark.parametrize("status", [RunStatus.STARTING, RunStatus.RUNNING, RunStatus.STOPPING])
def test_every_active_state_takes_a_slot(store: RunStore, dataset: DatasetRecord, status: RunStatus) -> None:
    run_in(store, dataset, status)
    queue_runs(store, dataset, "a")
    assert store.claim_next(1) is None


def test_claiming_starts_the_clocks(store: RunStore, dataset: DatasetRecord) -> None:
    queue_runs(store, dataset, "a")
    run, token = claim(store)
    assert run == store.get_run(run.id)
    assert run.status is RunStatus.STARTING
    assert run.token == token
    assert run.started_at == run.heartbeat_at == run.progress_at
    assert run.started_at is not None
    assert run.created_at < run.started_at


def test_a_resumed_run_goes_to_the_end(store: RunStore, dataset: DatasetRecord) -> None:
    lost, _ = run_in(store, dataset, RunStatus.LOST)
    store.rename_run(lost, "z")
    queue_runs(store, dataset, "ab")
    store.requeue(lost)
    assert names(store) == "abz"


def test_only_queued_runs_are_moved(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, _ = run_in(store, dataset, RunStatus.RUNNING)
    with pytest.raises(
        StateError, match=f"{run_id} is running and is not waiting in the queue; only a waiting run"
    ):
        store.move_queued(run_id, "top")
    with pytest.raises(NotFoundError):
        store.move_queued("r-00000000", "top")


def test_who_lost_the_lease_claims_nothing(store: RunStore, dataset: DatasetRecord) -> None:
    queue_runs(store, dataset, "ab")
    old = store.acquire_lease("scheduler", "first", now=0, ttl=10)
    new = store.acquire_lease("scheduler", "second", now=11, ttl=10)
    assert old is not None
    assert new is not None
    with pytest.raises(StateError, match="passed to another process"):
        store.claim_next(5, lease=LeaseRecord("scheduler", "first", 10, old))
    assert names(store) == "ab"
    assert store.claim_next(5, lease=LeaseRecord("scheduler", "second", 21, new)) is not None
