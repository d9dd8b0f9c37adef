from __future__ import annotations

import time

import pytest

from marsseg import services
from marsseg.execution.lease import SchedulerLease
from marsseg.services import Lab
from tests.cli.conftest import Command, queue_run


def names(marsseg: Command) -> list[str]:
    return [run["name"] for run in marsseg("queue", "list", "--json").document["queued"]]


def test_the_order_can_be_seen_and_changed(marsseg: Command, lab: Lab) -> None:
    ids = {name: queue_run(lab, name=name).id for name in ("a", "b", "c")}
    assert names(marsseg) == ["a", "b", "c"]
    marsseg("queue", "move", ids["c"], "top")
    marsseg("queue", "move", ids["a"], "down")
    assert names(marsseg) == ["c", "b", "a"]
    marsseg("queue", "priority", ids["a"], 5)
    assert names(marsseg) == ["a", "c", "b"]
    marsseg("queue", "priority", ids["c"], -5)
    assert names(marsseg) == ["a", "b", "c"]
    text = marsseg("queue", "list").out
    assert text.index(ids["a"]) < text.index(ids["c"])


def test_a_paused_queue_says_so_and_starts_nothing(marsseg: Command, lab: Lab) -> None:
    run = queue_run(lab)
    marsseg("queue", "pause")
    assert marsseg("queue", "list", "--json").document["paused"] is True
    assert "The queue is paused" in marsseg("queue", "list").err
    assert lab.store.claim_next(1) is None
    marsseg("queue", "continue")
    claimed = lab.store.claim_next(1)
    assert claimed is not None
    assert claimed[0].id == run.id


@pytest.mark.parametrize(
    "change", [("move", "ID", "top"), ("priority", "ID", "2"), ("pause",), ("continue",)]
)
def test_every_change_answers_with_the_queue(marsseg: Command, lab: Lab, change: tuple[str, ...]) -> None:
    waiting = [queue_run(lab, name=name).id for name in ("a", "b")]
    words = [waiting[1] if word == "ID" else word for word in change]
    answer = marsseg("queue", *words, "--json")
    assert answer.document == marsseg("queue", "list", "--json").document
    assert {run["id"] for run in answer.document["queued"]} == set(waiting)
    assert all(run_id in marsseg("queue", *words).out for run_id in waiting)


def test_who_holds_the_slots_is_told(marsseg: Command, lab: Lab) -> None:
    queue_run(lab, name="busy")
    lab.store.claim_next(1)
    assert "1 of 1 slot taken: busy." in marsseg("queue", "list").err


def test_the_slots_told_are_those_of_the_scheduler_that_serves(marsseg: Command, lab: Lab) -> None:
    queue_run(lab, name="busy")
    lab.store.claim_next(1)
    scheduler = SchedulerLease(lab.store, ttl=60, slots=3)
    assert scheduler.acquire(time.time())
    told = marsseg("queue", "list")
    assert "1 of 3 slots taken: busy." in told.err
    assert "started with 3; yours, 1, counts from its next start" in told.err
    scheduler.release()
    assert "1 of 1 slot taken: busy." in marsseg("queue", "list").err


def test_a_priority_beyond_reason_is_refused(marsseg: Command, lab: Lab) -> None:
    run = queue_run(lab)
    answer = marsseg("queue", "priority", run.id, 5_000)
    assert answer.status == 2
    assert "must be from -1000 to 1000; got 5000" in answer.err


def test_an_empty_queue_says_that_nothing_waits(marsseg: Command) -> None:
    assert "Nothing waits" in marsseg("queue", "list").err


def test_what_cannot_be_moved_is_refused(marsseg: Command, scored_run: str) -> None:
    for arguments in (("move", scored_run, "up"), ("priority", scored_run, "1")):
        answer = marsseg("queue", *arguments)
        assert answer.status == 2
        assert "is not waiting in the queue" in answer.err
    assert marsseg("queue", "move", scored_run, "sideways").status == 2


def test_continuing_wakes_a_scheduler_when_something_waits(
    marsseg: Command, lab: Lab, woken: list[str]
) -> None:
    services.pause_queue(lab)
    marsseg("queue", "continue")
    assert not woken
    queue_run(lab)
    marsseg("queue", "continue")
    assert woken
