from __future__ import annotations

import os
import time

from marsseg.identity import identify, is_alive
from marsseg.store.records import RunStatus
from tests.execution.conftest import Bench, Eventually, Stage


def test_a_queued_run_completes(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue()
    scheduler = stage.open()

    stage.drive(scheduler, lambda: bench.is_running(run_id))
    bench.let_finish()
    stage.drive(scheduler, lambda: bench.status(run_id).is_finished)

    assert bench.status(run_id) is RunStatus.COMPLETED
    assert len(bench.launches(run_id)) == 1


def test_a_killed_worker_is_lost_at_the_next_look_and_the_reason_names_the_signal(
    bench: Bench, stage: Stage, eventually: Eventually
) -> None:
    run_id = bench.queue()
    scheduler = stage.open()
    stage.drive(scheduler, lambda: bench.is_running(run_id))
    worker = bench.run(run_id).process

    bench.kill(run_id)
    os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)  # a zombie leader may not be reapable yet
    scheduler.tick(time.time())

    assert bench.status(run_id) is RunStatus.LOST
    assert "killed by signal 9" in bench.run(run_id).reason


def test_a_worker_that_crashes_before_it_reports_is_lost_with_its_last_words(
    bench: Bench, stage: Stage
) -> None:
    run_id = bench.queue("crash")
    stage.drive(stage.open(), lambda: bench.status(run_id).is_finished)

    assert bench.status(run_id) is RunStatus.LOST
    assert "exit code 1" in bench.run(run_id).reason
    assert "ValueError: the filters are too deep" in bench.run(run_id).reason


def test_an_exit_without_a_last_word_is_no_success_and_the_log_is_kept(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue("mute")
    stage.drive(stage.open(), lambda: bench.status(run_id).is_finished)

    assert bench.status(run_id) is RunStatus.LOST
    assert "exit code 0" in bench.run(run_id).reason
    assert "worker speaking" in bench.log(run_id)
    assert "worker complaining" in bench.log(run_id)


def test_a_launch_that_cannot_be_is_failed_and_the_next_run_has_its_turn(bench: Bench, stage: Stage) -> None:
    blocked, fine = bench.queue(), bench.queue()
    bench.settings.runs_dir.mkdir(parents=True)
    bench.settings.run_dir(blocked).touch()  # a file where the run's folder should be

    stage.drive(stage.open(), lambda: bench.is_running(fine))

    assert bench.status(blocked) is RunStatus.FAILED
    assert "could not be launched" in bench.run(blocked).reason


def test_what_a_killed_worker_started_is_ended_with_it(
    bench: Bench, stage: Stage, eventually: Eventually
) -> None:
    run_id = bench.queue("parent")
    scheduler = stage.open()
    child_file = bench.settings.run_dir(run_id) / "child"
    stage.drive(scheduler, lambda: child_file.exists() and child_file.read_text())
    child = identify(int(child_file.read_text()))

    bench.kill(run_id)
    stage.drive(scheduler, lambda: bench.status(run_id) is RunStatus.LOST)

    eventually(lambda: not is_alive(child))


def test_a_worker_that_does_not_leave_after_its_last_word_is_ended(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue("lingering")
    scheduler = stage.open(leave=0.3)
    stage.drive(scheduler, lambda: bench.is_running(run_id))
    worker = bench.run(run_id).process

    bench.let_finish()
    stage.drive(scheduler, lambda: not is_alive(worker))

    assert bench.status(run_id) is RunStatus.COMPLETED


def test_runs_start_in_the_order_of_the_queue(bench: Bench, stage: Stage) -> None:
    bench.let_finish()
    first, second, urgent = bench.queue(), bench.queue(), bench.queue(priority=5)
    last = bench.queue()
    bench.store.move_queued(last, "up")

    stage.drive(stage.open(), lambda: all(bench.status(r).is_finished for r in (first, second, urgent, last)))

    started = sorted((first, second, urgent, last), key=lambda run_id: bench.run(run_id).started_at)
    assert started == [urgent, first, last, second]


def test_one_slot_runs_one_at_a_time(bench: Bench, stage: Stage) -> None:
    first, second = bench.queue(), bench.queue()
    scheduler = stage.open()
    stage.drive(scheduler, lambda: bench.is_running(first))

    scheduler.tick(time.time())

    assert bench.status(second) is RunStatus.QUEUED


def test_two_slots_run_two_at_once_and_the_third_waits(bench: Bench, stage: Stage) -> None:
    first, second, third = bench.queue(), bench.queue(), bench.queue()
    scheduler = stage.open(slots=2)

    stage.drive(scheduler, lambda: bench.is_running(first) and bench.is_running(second))
    assert bench.status(third) is RunStatus.QUEUED

    bench.let_finish()
    stage.drive(scheduler, lambda: bench.status(third) is RunStatus.COMPLETED)


def test_a_resumed_run_is_launched_again_with_another_token(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue()
    scheduler = stage.open()
    stage.drive(scheduler, lambda: bench.is_running(run_id))
    first = bench.run(run_id)
    bench.kill(run_id)
    stage.drive(scheduler, lambda: bench.status(run_id) is RunStatus.LOST)

    bench.store.requeue(run_id)
    stage.drive(scheduler, lambda: bench.is_running(run_id))

    assert bench.run(run_id).token != first.token
    assert bench.run(run_id).process.pid != first.process.pid
    assert len(bench.launches(run_id)) == 2
