"""Whoever looks first after everything died is told the truth, before any scheduler has looked."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from marsseg.execution.control import scheduler_status, settle
from marsseg.identity import is_alive
from marsseg.store.records import RunStatus
from tests.execution.conftest import Bench, Eventually, Stage


def test_a_worker_that_died_with_the_scheduler_is_lost_at_the_first_look(
    bench: Bench, stage: Stage, eventually: Eventually
) -> None:
    run_id = bench.queue()
    scheduler = stage.open()
    stage.drive(scheduler, lambda: bench.is_running(run_id))
    worker = bench.run(run_id).process
    assert settle(bench.settings, bench.store) == []  # a scheduler lives and will say more
    scheduler.shutdown()

    bench.kill(run_id)
    eventually(lambda: not is_alive(worker))

    assert settle(bench.settings, bench.store) == [run_id]
    assert bench.status(run_id) is RunStatus.LOST
    assert f"process {worker.pid}" in bench.run(run_id).reason
    assert settle(bench.settings, bench.store) == []


def test_a_living_worker_and_one_that_has_not_reported_are_left_alone(bench: Bench, stage: Stage) -> None:
    alive = bench.queue()
    scheduler = stage.open()
    stage.drive(scheduler, lambda: bench.is_running(alive))
    scheduler.shutdown()
    claimed = bench.queue()
    bench.store.claim_next(2)

    assert settle(bench.settings, bench.store) == []
    assert bench.status(alive) is RunStatus.RUNNING
    assert bench.status(claimed) is RunStatus.STARTING


def test_a_lost_run_that_was_queued_again_meanwhile_is_left_alone(
    bench: Bench, stage: Stage, eventually: Eventually
) -> None:
    run_id = bench.queue()
    scheduler = stage.open()
    stage.drive(scheduler, lambda: bench.is_running(run_id))
    worker = bench.run(run_id).process
    os.kill(worker.pid, signal.SIGKILL)
    stage.drive(scheduler, lambda: bench.status(run_id) is RunStatus.LOST)
    bench.store.requeue(run_id)
    scheduler.shutdown()

    assert not scheduler_status(bench.store).alive
    assert settle(bench.settings, bench.store) == []
    assert bench.status(run_id) is RunStatus.QUEUED


def test_a_scheduler_that_is_suspended_keeps_nobody_from_the_truth(
    bench: Bench, detached: Callable[[], int], eventually: Eventually
) -> None:
    run_id = bench.queue()
    scheduler = detached()
    eventually(lambda: bench.is_running(run_id))
    worker = bench.run(run_id).process
    bench.halt(lambda: os.kill(scheduler, signal.SIGSTOP), lambda: os.kill(scheduler, signal.SIGCONT))
    bench.kill(run_id)
    eventually(lambda: bench.status(run_id) is RunStatus.LOST or settle(bench.settings, bench.store), 10)

    assert bench.status(run_id) is RunStatus.LOST
    assert f"process {worker.pid}" in bench.run(run_id).reason
    os.kill(scheduler, signal.SIGCONT)
