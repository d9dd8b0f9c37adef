"""The life of a run: what each call does in each state, and the sentence where it is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from marsseg.errors import StateError
from marsseg.store import RunStore
from marsseg.store.records import DatasetRecord, LeaseRecord, Phase, Progress, RunStatus
from tests.store.building import Clock, claim, epoch, evaluation, identity, queue_runs, run_in, start_run

STATES = ["queued", "starting", "running", "stopping", "completed", "stopped", "failed", "lost"]

CALLS: dict[str, Callable[[RunStore, str, str], object]] = {
    "worker_started": lambda s, run, token: s.worker_started(run, token, identity(token)),
    "heartbeat": lambda s, run, token: s.heartbeat(run, token),
    "add_epoch": lambda s, run, token: s.add_epoch(run, token, epoch(1)),
    "add_evaluation": lambda s, run, token: s.add_evaluation(token, evaluation(run)),
    "record_facts": lambda s, run, token: s.record_facts(run, token, parameters=1),
    "request_stop": lambda s, run, _: s.request_stop(run),
    "finish completed": lambda s, run, token: s.finish(run, token, RunStatus.COMPLETED, "Done."),
    "finish stopped": lambda s, run, token: s.finish(run, token, RunStatus.STOPPED, "Asked to."),
    "finish failed": lambda s, run, token: s.finish(run, token, RunStatus.FAILED, "Loss is NaN."),
    "mark_lost": lambda s, run, token: s.mark_lost(run, token, "Machine restarted."),
    "note_overdue": lambda s, run, token: s.note_overdue(run, token, "No progress for a minute."),
    "requeue": lambda s, run, _: s.requeue(run),
    "release_claim": lambda s, run, token: s.release_claim(run, token),
    "stop now": lambda s, run, _: s.request_stop(run, now=True),
    "ending": lambda s, run, token: s.heartbeat(run, token, ending="Received SIGTERM."),
    "go_on_after": lambda s, run, token: s.go_on_after(run, token, 0, "Anew.", best_epoch=0),
    "report_progress": lambda s, run, token: s.report_progress(run, token, Progress(Phase.SAVING)),
    "archive": lambda s, run, _: s.archive_runs([run]),
    "set_priority": lambda s, run, _: s.set_priority(run, 3),
    "move_queued": lambda s, run, _: s.move_queued(run, "top"),
    "extend": lambda s, run, _: s.extend_run(run, 1),
}

# What each call makes of a run in the states above, in their order; "-" is a refusal.
OUTCOMES = {
    "worker_started": "- running running stopping - - - -",
    "heartbeat": "- starting running stopping - - - -",
    "add_epoch": "- starting running stopping - - - -",
    "add_evaluation": "- starting running stopping - - - -",
    "record_facts": "- starting running stopping - - - -",
    "request_stop": "stopped stopping stopping stopping - - - -",
    "finish completed": "- - completed completed - - - -",
    "finish stopped": "- stopped stopped stopped - - - -",
    "finish failed": "- failed failed failed - - - -",
    "mark_lost": "- lost lost lost completed stopped failed lost",
    "note_overdue": "- starting running stopping - - - -",
    "requeue": "- - - - - queued queued queued",
    "release_claim": "- queued running stopping completed stopped failed lost",
    "stop now": "stopped stopping stopping stopping - - - -",
    "ending": "- starting stopping stopping - - - -",
    "go_on_after": "- starting running stopping - - - -",
    "report_progress": "- starting running stopping - - - -",
    "archive": "- - - - completed stopped failed lost",
    "set_priority": "queued - - - - - - -",
    "move_queued": "queued - - - - - - -",
    "extend": "- - - - - - - -",  # a run without epochs; see test_extending
}


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("call", CALLS)
def test_every_call_in_every_state(store: RunStore, dataset: DatasetRecord, call: str, before: str) -> None:
    run_id, token = run_in(store, dataset, RunStatus(before))
    expected = OUTCOMES[call].split()[STATES.index(before)]
    unchanged, version = store.get_run(run_id), store.version()
    if expected == "-":
        with pytest.raises(StateError, match=run_id):
            CALLS[call](store, run_id, token)
        assert store.get_run(run_id) == unchanged
        assert store.version() == version
        assert store.list_epochs(run_id) == store.list_evaluations([run_id], "test", "argmax") == []
    else:
        CALLS[call](store, run_id, token)
        run = store.get_run(run_id)
        assert run.status == expected
        assert (run.finished_at is not None) == run.status.is_finished
        if expected != before:
            assert store.version() > version


@pytest.mark.parametrize("status", [RunStatus.LOST, RunStatus.RUNNING, RunStatus.QUEUED])
def test_a_worker_ends_as_one_of_three(store: RunStore, dataset: DatasetRecord, status: RunStatus) -> None:
    run_id, token = start_run(store, dataset)
    with pytest.raises(StateError, match=f"completed, failed, stopped; got {status}"):
        store.finish(run_id, token, status, "")
    assert store.get_run(run_id).status is RunStatus.RUNNING


def test_the_last_word_stands(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    store.finish(run_id, token, RunStatus.COMPLETED, "All 40 epochs.", best_epoch=31)
    assert store.mark_lost(run_id, token, "Not seen for a minute.") is False
    run = store.get_run(run_id)
    assert (run.status, run.reason, run.best_epoch) == (RunStatus.COMPLETED, "All 40 epochs.", 31)


WORDS: dict[str, Callable[[RunStore, str, str], object]] = {
    "stopped by SIGTERM. No progress.": lambda s, run, token: s.finish(
        run, token, RunStatus.STOPPED, "stopped by SIGTERM"
    ),
    "Vanished. No progress.": lambda s, run, token: s.mark_lost(run, token, "Vanished."),
}


@pytest.mark.parametrize("reason", WORDS)
def test_why_a_scheduler_ended_a_worker_stands_behind_its_last_word_and_no_later_one(
    store: RunStore, dataset: DatasetRecord, reason: str
) -> None:
    run_id, token = start_run(store, dataset)
    store.note_overdue(run_id, token, "No progress.")
    WORDS[reason](store, run_id, token)
    assert store.get_run(run_id).reason == reason
    store.requeue(run_id)
    _, token = claim(store)
    store.finish(run_id, token, RunStatus.FAILED, "Loss is NaN.")
    assert store.get_run(run_id).reason == "Loss is NaN."


def test_a_scheduler_that_speaks_for_a_worker_says_why_itself(
    store: RunStore, dataset: DatasetRecord
) -> None:
    run_id, token = start_run(store, dataset)
    fence = store.acquire_lease("scheduler", "first", now=0, ttl=10)
    lease = LeaseRecord("scheduler", "first", 10, fence)
    store.note_overdue(run_id, token, "No progress.", lease=lease)
    store.finish(run_id, token, RunStatus.FAILED, "No progress; the worker was ended.", lease=lease)
    assert store.get_run(run_id).reason == "No progress; the worker was ended."


def test_a_stop_reaches_the_worker_by_its_heartbeat(store: RunStore, dataset: DatasetRecord) -> None:
    run_id, token = start_run(store, dataset)
    assert store.heartbeat(run_id, token) is False
    store.request_stop(run_id)
    assert store.heartbeat(run_id, token) is True
    assert store.get_run(run_id).stop_now is False
    events = len(store.list_events(run_id))
    store.request_stop(run_id)
    assert len(store.list_events(run_id)) == events
    assert store.request_stop(run_id, now=True).stop_now is True
    assert store.request_stop(run_id).stop_now is True


def test_a_stop_before_the_worker_reports_is_kept(store: RunStore, dataset: DatasetRecord) -> None:
    queue_runs(store, dataset, "a")
    run, token = claim(store)
    store.request_stop(run.id)
    store.worker_started(run.id, token, identity(token))
    assert store.get_run(run.id).process == identity(token)
    assert store.heartbeat(run.id, token) is True


def test_heartbeat_and_progress_are_two_clocks(store: RunStore, dataset: DatasetRecord, clock: Clock) -> None:
    run_id, token = start_run(store, dataset)
    moved_at = store.get_run(run_id).progress_at
    clock.now += 60
    store.heartbeat(run_id, token)
    run = store.get_run(run_id)
    assert run.progress_at == moved_at
    assert run.heartbeat_at == pytest.approx(clock.now, abs=1)
