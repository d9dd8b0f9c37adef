from __future__ import annotations

from marsseg import services
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
    text = marsseg("queue", "list").out
    assert text.index(ids["a"]) < text.index(ids["c"])


def test_a_paused_queue_says_so_and_starts_nothing(marsseg: Command, lab: Lab) -> None:
    run = queue_run(lab)
    marsseg("queue", "pause")
    assert marsseg("queue", "list", "--json").document["paused"] is True
    assert "the queue is paused" in marsseg("queue", "list").err
    assert lab.store.claim_next(1) is None
    marsseg("queue", "continue")
    claimed = lab.store.claim_next(1)
    assert claimed is not None
    assert claimed[0].id == run.id


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
