"""Many processes at one store: nothing is claimed twice, no update is lost, readers do not wait."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from marsseg.errors import StoreError
from marsseg.store import RunStore, engine
from marsseg.store.records import ACTIVE, DatasetRecord
from tests.store.building import new_run, queue_runs
from tests.store.racer import Race

CLAIM_ALL = """
store, result = RunStore(arguments[0]), []
while (claimed := store.claim_next(int(arguments[1]))) is not None:
    result.append([claimed[0].id, claimed[1]])
"""

SUBMIT = """
store, result = RunStore(arguments[0]), []
dataset = store.list_datasets()[0]
for turn in range(15):
    result.append(store.add_run(new_run(dataset, f"{number}-{turn}")).id)
    store.move_queued(result[-1], "top")
"""

COUNT_UP = """
from marsseg.store.base import get_row
store, result = RunStore(arguments[0]), None
for turn in range(40):
    with store._database.write() as session:
        get_row(session, arguments[1]).priority += 1
"""

TAKE_LEASES = """
store = RunStore(arguments[0])
result = [store.acquire_lease("scheduler", f"owner {number}", now=1.0, ttl=0.0) for turn in range(20)]
"""

HOLD_SLOTS = """
from time import monotonic
from marsseg.store.records import ACTIVE, RunStatus
store, result = RunStore(arguments[0]), []
while store.queue():
    claimed = store.claim_next(2)
    if claimed is None:
        continue
    run, token = claimed
    store.worker_started(run.id, token, identity(token))
    until = monotonic() + 30
    while store.queue() and len(store.list_runs(statuses=ACTIVE)) < 2 and monotonic() < until:
        pass  # the other slot is free and will be taken
    store.finish(run.id, token, RunStatus.COMPLETED, "Done.")
    result.append(run.id)
"""


def test_processes_claim_each_run_once(
    store: RunStore, dataset: DatasetRecord, database_url: str, race: Race
) -> None:
    ids = queue_runs(store, dataset, [f"run {number}" for number in range(40)])
    claims = [claim for claims in race(CLAIM_ALL, database_url, "1000") for claim in claims]
    assert sorted(run_id for run_id, _ in claims) == sorted(ids)
    assert {run.id: run.token for run in store.list_runs()} == dict(claims)


def test_processes_together_respect_the_slots(
    store: RunStore, dataset: DatasetRecord, database_url: str, race: Race
) -> None:
    queue_runs(store, dataset, [f"run {number}" for number in range(10)])
    claims = race(CLAIM_ALL, database_url, "3")
    assert sum(map(len, claims)) == 3
    assert len(store.list_runs(statuses=ACTIVE)) == 3


def test_slots_are_never_exceeded_while_runs_come_and_go(
    store: RunStore, dataset: DatasetRecord, database_url: str, race: Race
) -> None:
    ids = queue_runs(store, dataset, [f"run {number}" for number in range(24)])
    assert sorted(run_id for done in race(HOLD_SLOTS, database_url) for run_id in done) == sorted(ids)
    active, most = 0, 0
    for happened in reversed(store.list_events(limit=1_000)):
        active += {"starting": 1, "completed": -1}.get(happened.kind, 0)
        most = max(most, active)
    assert (active, most) == (0, 2)


def test_threads_claim_each_run_once(store: RunStore, dataset: DatasetRecord) -> None:
    ids = queue_runs(store, dataset, [f"run {number}" for number in range(32)])
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: store.claim_next(1_000), range(40)))
    assert sorted(claim[0].id for claim in claims if claim) == sorted(ids)
    assert claims.count(None) == 8


def test_no_update_is_lost(store: RunStore, dataset: DatasetRecord, database_url: str, race: Race) -> None:
    run = store.add_run(new_run(dataset))
    race(COUNT_UP, database_url, run.id)
    assert store.get_run(run.id).priority == 160


def test_submitting_and_moving_keep_one_order(
    store: RunStore, dataset: DatasetRecord, database_url: str, race: Race
) -> None:
    submitted = [run_id for ids in race(SUBMIT, database_url) for run_id in ids]
    queue = store.queue()
    assert sorted(run.id for run in queue) == sorted(submitted)
    assert [run.position for run in queue] == list(range(1, 61))


def test_no_two_processes_get_one_fencing_token(store: RunStore, database_url: str, race: Race) -> None:
    tokens = [token for tokens in race(TAKE_LEASES, database_url) for token in tokens]
    assert sorted(tokens) == list(range(1, 81))


def test_readers_neither_wait_for_a_writer_nor_see_its_unfinished_work(
    store: RunStore, dataset: DatasetRecord
) -> None:
    run = store.add_run(new_run(dataset))
    before = store.version()
    with ThreadPoolExecutor(1) as other, store._database.write() as session:
        store._add_event(session, "test", "not yet committed")
        session.flush()
        assert other.submit(store.version).result(timeout=10) == before
        assert other.submit(store.list_runs).result(timeout=10) == [run]
        assert other.submit(store.claim_next, 0).done() is False
    assert store.version() == before + 1


def _fail_after_writing(store: RunStore) -> None:
    with store._database.write() as session:
        store._add_event(session, "test", "never")
        session.flush()
        raise ZeroDivisionError


def test_an_error_inside_a_write_undoes_all_of_it(store: RunStore, dataset: DatasetRecord) -> None:
    before = store.version()
    with pytest.raises(ZeroDivisionError):
        _fail_after_writing(store)
    assert store.version() == before
    assert store.add_run(new_run(dataset)).position == 1


def test_a_database_that_stays_locked_says_so(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.05)
    store = RunStore(sqlite_url)
    holder = sqlite3.connect(tmp_path / "runs.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"runs.db stayed busy.*try again"):
        store.acquire_lease("scheduler", "a", 0, 10)
    assert RunStore(sqlite_url).list_datasets() == []
    holder.execute("ROLLBACK")
    assert store.acquire_lease("scheduler", "a", 0, 10) == 1
    holder.close()
