"""Ask, wait, SIGTERM to the group, SIGKILL: what becomes of a run that a person wants to end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from marsseg.errors import StoreError
from marsseg.execution.watch import Ending
from marsseg.identity import identify, is_alive
from marsseg.store.records import RunStatus
from tests.execution.conftest import Bench, Stage


def test_a_stop_reaches_the_worker(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue()
    scheduler = stage.open()
    stage.drive(scheduler, lambda: bench.is_running(run_id))

    bench.store.request_stop(run_id)
    stage.drive(scheduler, lambda: bench.status(run_id).is_finished)

    assert bench.status(run_id) is RunStatus.STOPPED
    assert bench.run(run_id).reason == "Stopped in epoch 1."


def test_a_worker_that_ignores_stop_and_sigterm_is_killed_and_its_run_stopped(
    bench: Bench, stage: Stage
) -> None:
    run_id = bench.queue("stubborn")
    scheduler = stage.open(stop=0.5, kill=0.5)
    stage.drive(scheduler, lambda: bench.is_running(run_id))
    worker = bench.run(run_id).process
    bench.add_epochs(run_id, 1, 2)

    bench.store.request_stop(run_id)
    stage.drive(scheduler, lambda: bench.status(run_id).is_finished)

    assert bench.status(run_id) is RunStatus.STOPPED
    assert bench.run(run_id).reason == (
        "The worker did not stop within 0.5 seconds of being asked; it was ended by force. "
        "It can be resumed from epoch 2."
    )
    assert not is_alive(worker)


def test_a_forced_stop_before_the_first_epoch_says_that_a_resume_begins_anew(
    bench: Bench, stage: Stage
) -> None:
    run_id = bench.queue("lifeless")
    scheduler = stage.open(stop=0.2)
    stage.drive(scheduler, lambda: bench.is_running(run_id))

    bench.store.request_stop(run_id)
    stage.drive(scheduler, lambda: bench.status(run_id).is_finished)

    assert bench.status(run_id) is RunStatus.STOPPED
    assert "No epoch was completed" in bench.run(run_id).reason


def test_a_worker_that_stops_slowly_but_moves_is_waited_for(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue("slow to stop")
    scheduler = stage.open(stop=1)
    stage.drive(scheduler, lambda: bench.is_running(run_id))

    bench.store.request_stop(run_id)
    asked_at = time.monotonic()
    stage.drive(scheduler, lambda: bench.status(run_id).is_finished)

    assert time.monotonic() - asked_at > 1.5
    assert bench.run(run_id).reason == "Stopped in epoch 1."


def test_stop_now_ends_a_worker_in_time_whatever_it_does(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue("slow to stop")
    scheduler = stage.open(stop=60, stop_now=0.5)
    stage.drive(scheduler, lambda: bench.is_running(run_id))

    bench.store.request_stop(run_id, now=True)
    stage.drive(scheduler, lambda: bench.status(run_id).is_finished)

    assert bench.status(run_id) is RunStatus.STOPPED
    assert "did not end within 0.5 seconds of being asked to stop at once" in bench.run(run_id).reason


def test_stop_now_reaches_a_suspended_worker(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue()
    scheduler = stage.open(stop_now=0.3)
    stage.drive(scheduler, lambda: bench.is_running(run_id))
    bench.suspend(run_id)

    bench.store.request_stop(run_id, now=True)
    stage.drive(scheduler, lambda: bench.status(run_id).is_finished)

    assert bench.status(run_id) is RunStatus.STOPPED


def test_a_worker_that_dies_by_itself_while_stopping_is_lost(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue("stubborn")
    scheduler = stage.open()
    stage.drive(scheduler, lambda: bench.is_running(run_id))
    bench.store.request_stop(run_id)
    scheduler.tick(time.time())

    bench.kill(run_id)
    stage.drive(scheduler, lambda: bench.status(run_id).is_finished)

    assert bench.status(run_id) is RunStatus.LOST
    assert "killed by signal 9" in bench.run(run_id).reason


def test_a_forced_run_can_be_resumed(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue("lifeless")
    scheduler = stage.open(stop_now=0)
    stage.drive(scheduler, lambda: bench.is_running(run_id))
    bench.store.request_stop(run_id, now=True)
    stage.drive(scheduler, lambda: bench.status(run_id).is_finished)

    bench.store.requeue(run_id)
    stage.drive(scheduler, lambda: bench.is_running(run_id))

    assert len(bench.launches(run_id)) == 2


def test_a_signal_that_the_store_was_too_busy_to_allow_is_sent_in_the_next_round() -> None:
    answers = iter([StoreError("The database stayed busy.")])

    def guard() -> None:
        for error in answers:
            raise error

    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    ending = Ending(identify(process.pid), guard)
    with pytest.raises(StoreError):
        ending.step(at=0, kill_after=0)
    ending.step(at=1, kill_after=0)

    assert process.wait(20) == -signal.SIGTERM
