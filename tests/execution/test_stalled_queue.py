"""A scheduler that dies at night, with nobody looking, does not stall the queue."""

from __future__ import annotations

import signal

import pytest

from marsseg import services
from marsseg.store.records import RunStatus
from tests.execution.killing import CONFIG, POINTS, Arena, kill_scheduler

pytestmark = [pytest.mark.training, pytest.mark.processes]


def start_two(arena: Arena) -> tuple[str, str]:
    """One run held in the middle, one that waits behind it; and no scheduler any more."""
    arena.hold_at(POINTS["mid-epoch"])
    first, second = services.submit_repeats(arena.lab, CONFIG, seeds=(0, 1))
    arena.wait(arena.is_held, "the first worker to come to its second epoch")
    kill_scheduler(arena, first.id, signal.SIGKILL)
    arena.wait(lambda: not arena.schedulers(), "the scheduler to be gone")
    return first.id, second.id


def test_a_worker_that_leaves_starts_a_scheduler_for_those_that_wait(arena: Arena) -> None:
    first, second = start_two(arena)
    arena.release()
    # Only the store is read from here on: no use case is asked, which would wake a scheduler itself.
    arena.wait(lambda: arena.run(second).status is RunStatus.COMPLETED, "the second run to end", 240)
    assert arena.run(first).status is RunStatus.COMPLETED
    assert [arena.run(run_id).launches for run_id in (first, second)] == [1, 1]
    assert len(arena.schedulers()) == 1


def test_nobody_is_started_for_a_queue_that_is_paused(arena: Arena) -> None:
    first, second = start_two(arena)
    services.pause_queue(arena.lab)
    arena.release()
    arena.wait(lambda: arena.run(first).status is RunStatus.COMPLETED, "the first run to end", 240)
    arena.wait(lambda: not arena.workers(), "its worker to leave")
    assert arena.schedulers() == []
    assert arena.run(second).status is RunStatus.QUEUED
