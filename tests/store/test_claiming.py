"""Claims: the pause of the queue, and which threads and GPU a run is given."""

from __future__ import annotations

from dataclasses import replace

import pytest

from marsseg.errors import ConfigError, NotFoundError, StateError
from marsseg.store import RunStore
from marsseg.store.records import DatasetRecord, LeaseRecord, RunStatus
from tests.store.building import claim, identity, new_run, queue_runs, run_in, start_run
from tests.store.racer import Race

GPUS = ("GPU-a", "GPU-b")


def claim_gpu(store: RunStore) -> str | None:
    claimed = store.claim_next(100, gpus=GPUS)
    assert claimed is not None
    return claimed[0].gpu


def test_a_paused_queue_gives_nothing_until_it_goes_on(store: RunStore, dataset: DatasetRecord) -> None:
    queue_runs(store, dataset, "ab")
    assert store.is_queue_paused() is False
    store.pause_queue()
    assert store.is_queue_paused() is True
    assert store.claim_next(5) is None
    queue_runs(store, dataset, "c")
    assert [run.name for run in store.queue()] == ["a", "b", "c"]
    store.pause_queue(paused=False)
    assert claim(store)[0].name == "a"


def test_a_pause_leaves_what_is_active_alone(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    store.pause_queue()
    assert store.heartbeat(run_id, token) is False
    store.finish(run_id, token, RunStatus.COMPLETED, "Done.")
    assert store.get_run(run_id).status is RunStatus.COMPLETED


def test_a_pause_is_for_all_who_open_the_store(database_url: str, store: RunStore) -> None:
    store.pause_queue()
    other = RunStore(database_url)
    assert other.is_queue_paused() is True
    other.pause_queue(paused=False)
    assert store.is_queue_paused() is False
    other.close()


def test_a_pause_in_the_middle_of_a_race_lets_nothing_slip(
    store: RunStore, dataset: DatasetRecord, database_url: str, race: Race
) -> None:
    """Three claim as fast as they can; the fourth pauses, and nothing starts after its pause is told."""
    queue_runs(store, dataset, [f"run {number}" for number in range(40)])
    script = """
store, result = RunStore(arguments[0]), None
if number == 0:
    store.pause_queue()
else:
    while store.claim_next(1_000) is not None:
        pass
"""
    race(script, database_url)
    newest = store.list_events(limit=1)[0]
    assert newest.kind == "queue paused"
    started = sum(event.kind == "starting" for event in store.list_events(limit=1_000))
    assert started + len(store.queue()) == 40


def test_a_run_keeps_the_threads_of_its_first_attempt(store: RunStore, dataset: DatasetRecord) -> None:
    run_id = queue_runs(store, dataset, "a")[0]
    for offered in (4, 2, None):
        claimed = store.claim_next(1, threads=offered)
        assert claimed is not None
        assert claimed[0].threads == 4
        store.finish(run_id, claimed[1], RunStatus.STOPPED, "Asked to.")
        store.requeue(run_id)
    assert store.get_run(run_id).threads == 4
    assert store.get_run(run_id).launches == 3


def test_threads_that_a_person_asked_for_win(store: RunStore, dataset: DatasetRecord) -> None:
    run = store.add_run(new_run(dataset, threads=1))
    claimed = store.claim_next(1, threads=8)
    assert claimed is not None
    assert claimed[0].threads == store.get_run(run.id).threads == 1


@pytest.mark.parametrize("threads", [0, -1, 1_025, 10**30])
def test_threads_beyond_reason_are_refused(store: RunStore, dataset: DatasetRecord, threads: int) -> None:
    with pytest.raises(ConfigError, match="threads: must be from 1 to 1024; got"):
        store.add_run(new_run(dataset, threads=threads))
    assert store.list_runs() == []


def test_each_run_gets_the_gpu_with_the_fewest_runs(store: RunStore, dataset: DatasetRecord) -> None:
    queue_runs(store, dataset, "abcde")
    assert [claim_gpu(store) for _ in "abc"] == ["GPU-a", "GPU-b", "GPU-a"]
    assert claim_gpu(store) == "GPU-b"
    first = next(run for run in store.list_runs() if run.name == "b")
    assert first.token is not None
    store.finish(first.id, first.token, RunStatus.FAILED, "No memory.")
    assert claim_gpu(store) == "GPU-b"
    started = [event.message for event in store.list_events() if event.kind == "starting"]
    assert started[-1] == "Its turn has come; a worker is being started on GPU GPU-a."


def test_without_gpus_a_run_is_given_none(store: RunStore, dataset: DatasetRecord) -> None:
    queue_runs(store, dataset, "a")
    run, _ = claim(store)
    assert run.gpu is None
    assert store.list_events(run.id)[0].message == "Its turn has come; a worker is being started."


def test_a_run_queued_again_gives_its_gpu_back(store: RunStore, dataset: DatasetRecord) -> None:
    run_id = queue_runs(store, dataset, "a")[0]
    claimed = store.claim_next(1, gpus=GPUS)
    assert claimed is not None
    assert store.mark_lost(run_id, claimed[1], "It vanished.") is True
    assert store.get_run(run_id).gpu == "GPU-a", "where it ran is part of its story"
    assert store.requeue(run_id).gpu is None


def test_processes_share_gpus_evenly(
    store: RunStore, dataset: DatasetRecord, database_url: str, race: Race
) -> None:
    queue_runs(store, dataset, [f"run {number}" for number in range(20)])
    script = """
store, result = RunStore(arguments[0]), []
while (claimed := store.claim_next(1_000, threads=1, gpus=("a", "b"))) is not None:
    result.append(claimed[0].gpu)
"""
    given = [gpu for gpus in race(script, database_url) for gpu in gpus]
    assert sorted(given) == ["a"] * 10 + ["b"] * 10


def test_a_claim_counts_launches(store: RunStore, dataset: DatasetRecord) -> None:
    waiting = store.add_run(new_run(dataset))
    assert waiting.launches == 0
    store.request_stop(waiting.id)
    run_id, _ = run_in(store, dataset, RunStatus.LOST)
    store.requeue(run_id)
    assert claim(store)[0].launches == 2


def test_a_claim_that_is_taken_back_leaves_the_threads_of_the_first_claim_and_a_line(
    store: RunStore, dataset: DatasetRecord
) -> None:
    first, second = queue_runs(store, dataset, "ab")
    before = store.get_run(first)
    claimed = store.claim_next(1, threads=2, gpus=GPUS)
    assert claimed is not None
    assert store.release_claim(first, claimed[1]) is RunStatus.QUEUED
    assert [run.id for run in store.queue()] == [first, second]
    assert store.get_run(first) == replace(before, threads=2)
    assert "before its worker had reported" in store.list_events(first)[0].message
    with pytest.raises(StateError, match="launched again or queued since"):
        store.worker_started(first, claimed[1], identity(claimed[1]))


def test_threads_that_a_person_asked_for_outlive_a_claim_that_is_taken_back(
    store: RunStore, dataset: DatasetRecord
) -> None:
    run = store.add_run(new_run(dataset, threads=4))
    claimed = store.claim_next(1, threads=1)
    assert claimed is not None
    store.release_claim(run.id, claimed[1])
    assert store.get_run(run.id) == run
    again = store.claim_next(1, threads=1)
    assert again is not None
    assert again[0].threads == 4


def test_a_claim_that_is_taken_back_stands_before_runs_that_were_queued_meanwhile(
    store: RunStore, dataset: DatasetRecord
) -> None:
    *earlier, last = queue_runs(store, dataset, "abc")
    tokens = {run.id: token for run, token in (claim(store) for _ in "abc")}
    for run_id in earlier:
        store.worker_started(run_id, tokens[run_id], identity(tokens[run_id]))
    (later,) = queue_runs(store, dataset, "d")
    store.release_claim(last, tokens[last])
    assert [run.id for run in store.queue()] == [last, later]


def test_a_claim_that_is_taken_back_stands_before_runs_that_were_moved_meanwhile(
    store: RunStore, dataset: DatasetRecord
) -> None:
    *earlier, claimed, next_one, last = queue_runs(store, dataset, "abcde")
    for run_id in earlier:
        _, token = claim(store)
        store.worker_started(run_id, token, identity(token))
    _, token = claim(store)
    store.move_queued(last, "top")
    store.release_claim(claimed, token)
    assert [run.id for run in store.queue()] == [claimed, last, next_one]


def test_a_run_that_was_to_be_stopped_is_stopped_when_its_claim_is_taken_back(
    store: RunStore, dataset: DatasetRecord
) -> None:
    (run_id,) = queue_runs(store, dataset, "a")
    _, token = claim(store)
    store.request_stop(run_id)
    assert store.release_claim(run_id, token) is RunStatus.STOPPED
    run = store.get_run(run_id)
    assert (run.status, run.reason, run.launches) == (
        RunStatus.STOPPED,
        "Stopped before its worker had reported.",
        0,
    )
    assert run.finished_at is not None


def test_a_scheduler_that_lost_its_lease_takes_no_claim_back(store: RunStore, dataset: DatasetRecord) -> None:
    (run_id,) = queue_runs(store, dataset, "a")
    _, token = claim(store)
    fence = store.acquire_lease("scheduler", "first", now=0, ttl=10)
    store.acquire_lease("scheduler", "second", now=11, ttl=10)
    assert fence is not None
    with pytest.raises(StateError, match="passed to another"):
        store.release_claim(run_id, token, lease=LeaseRecord("scheduler", "first", 10, fence))
    assert store.get_run(run_id).status is RunStatus.STARTING


def test_a_run_waits_for_those_that_it_needs(store: RunStore, dataset: DatasetRecord) -> None:
    first, second = queue_runs(store, dataset, "ab")
    needy = store.add_run(replace(new_run(dataset, "of both"), needs=(second, first), priority=5)).id
    behind = queue_runs(store, dataset, "c")[0]
    assert [run.id for run in store.queue()] == [needy, first, second, behind]
    claimed = [claim(store) for _ in range(3)]
    assert [run.id for run, _ in claimed] == [first, second, behind]
    for run, token in claimed[:2]:
        assert store.claim_next(100) is None
        store.finish(run.id, token, RunStatus.FAILED, "No luck.")
    assert claim(store)[0].id == needy


def test_a_run_does_not_wait_for_one_that_was_deleted(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, _ = run_in(store, dataset, RunStatus.COMPLETED)
    needy = store.add_run(replace(new_run(dataset), needs=(run_id,))).id
    store.delete_runs([run_id])
    assert claim(store)[0].id == needy


def test_what_a_run_needs_has_to_be_there(store: RunStore, dataset: DatasetRecord) -> None:
    with pytest.raises(NotFoundError, match="r-missing"):
        store.add_run(replace(new_run(dataset), needs=("r-missing",)))
    assert store.list_runs() == []
