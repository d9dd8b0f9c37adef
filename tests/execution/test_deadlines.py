"""What a real worker that does not move comes to, and that a suspended one comes to nothing."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from marsseg.identity import is_alive, own_identity
from marsseg.store.records import RunStatus
from tests.execution.conftest import Bench, Stage

FREEZER = Path("/sys/fs/cgroup/freezer")


@pytest.fixture
def freezer() -> Iterator[Path]:
    """A group of our own in version 1's freezer."""
    group = FREEZER / f"marsseg-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no group can be made in {FREEZER} ({error.strerror})")
    yield group
    (group / "freezer.state").write_text("THAWED")
    for pid in (group / "cgroup.procs").read_text().split():
        (FREEZER / "cgroup.procs").write_text(pid)
    group.rmdir()


def test_a_worker_that_never_reports_is_ended(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue("speechless")
    stage.drive(stage.open(report=0.5), lambda: bench.status(run_id).is_finished)

    assert bench.status(run_id) is RunStatus.FAILED
    assert "did not report within 0.5 seconds" in bench.run(run_id).reason


def test_a_worker_that_beats_but_does_not_move_is_ended(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue("stubborn")
    scheduler = stage.open(progress=0.5, kill=0.2)
    stage.drive(scheduler, lambda: bench.is_running(run_id))
    worker = bench.run(run_id).process
    stage.drive(scheduler, lambda: bench.status(run_id).is_finished)

    assert bench.status(run_id) is RunStatus.FAILED
    assert bench.run(run_id).reason == "No progress for 0.5 seconds while training; the worker was ended."
    assert not is_alive(worker)


def test_a_worker_that_still_has_the_last_word_does_not_hide_why_it_was_ended(
    bench: Bench, stage: Stage
) -> None:
    """As one whose disk had stalled, and answers again when the signal comes."""
    run_id = bench.queue("late")
    stage.drive(stage.open(progress=0.5), lambda: bench.status(run_id).is_finished)

    why = "No progress for 0.5 seconds while training, so the scheduler told the worker to end."
    assert bench.status(run_id) is RunStatus.STOPPED
    assert bench.run(run_id).reason == f"stopped by SIGTERM in epoch 1. {why}"
    told = [(event.kind, event.message) for event in bench.store.list_events(run_id)]
    assert told[:2] == [("stopped", bench.run(run_id).reason), ("overdue", why)]


def test_building_the_graph_may_take_longer(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue("building")
    scheduler = stage.open(progress=0.1, slow_progress=1)
    stage.drive(scheduler, lambda: bench.status(run_id).is_finished)

    assert bench.status(run_id) is RunStatus.FAILED
    assert bench.run(run_id).reason == "No progress for 1 second while building graph; the worker was ended."


def test_a_batch_that_takes_many_times_its_median_is_ended(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue("batch")
    scheduler = stage.open(batch=0.1, batch_medians=50)
    stage.drive(scheduler, lambda: bench.status(run_id).is_finished)

    assert bench.status(run_id) is RunStatus.FAILED
    assert "No progress for 0.5 seconds while training" in bench.run(run_id).reason
    assert "a batch usually takes 0.01 seconds" in bench.run(run_id).reason


def test_a_worker_that_moves_is_never_ended(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue("moving")
    scheduler = stage.open(progress=2, life=2)
    start = time.monotonic()
    stage.drive(scheduler, lambda: time.monotonic() - start > 4)

    assert bench.status(run_id) is RunStatus.RUNNING


def test_a_process_without_a_sign_of_life_is_ended(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue("lifeless")
    scheduler = stage.open(heartbeat=0.1, progress=0.3, life=0.8)
    stage.drive(scheduler, lambda: bench.status(run_id).is_finished)

    assert bench.status(run_id) is RunStatus.FAILED
    assert "No sign of life for 0.8 seconds while training" in bench.run(run_id).reason


def test_a_worker_suspended_for_longer_than_its_deadlines_goes_on(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue("moving")
    scheduler = stage.open(heartbeat=0.5, progress=2, life=2)
    stage.drive(scheduler, lambda: bench.is_running(run_id))

    bench.suspend(run_id)
    suspended_at = time.monotonic()
    stage.drive(scheduler, lambda: time.monotonic() - suspended_at > 3)
    assert bench.status(run_id) is RunStatus.RUNNING

    bench.kill(run_id, signal.SIGCONT)
    moved_at = bench.run(run_id).progress_at
    stage.drive(scheduler, lambda: bench.run(run_id).progress_at > moved_at)
    bench.let_finish()
    stage.drive(scheduler, lambda: bench.status(run_id).is_finished)
    assert bench.status(run_id) is RunStatus.COMPLETED


def test_an_hour_of_suspension_is_noted_and_forgiven(
    bench: Bench, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = bench.queue()
    scheduler = stage.open(interval=1)
    caplog.set_level("INFO")
    stage.drive(scheduler, lambda: bench.is_running(run_id))

    bench.suspend(run_id)
    last_beat = bench.run(run_id).heartbeat_at
    suspended_at = time.time()
    assert all(scheduler.tick(suspended_at + second) for second in range(0, 3600, 5))
    assert "no heartbeat" in caplog.text
    assert bench.status(run_id) is RunStatus.RUNNING

    bench.kill(run_id, signal.SIGCONT)
    stage.drive(scheduler, lambda: bench.run(run_id).heartbeat_at > last_beat)
    scheduler.tick(suspended_at + 3605)
    assert "heartbeat is back" in caplog.text
    assert bench.status(run_id) is RunStatus.RUNNING


def test_a_worker_suspended_before_it_reported_is_waited_for(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue("speechless")
    scheduler = stage.open(interval=1)
    stage.drive(scheduler, lambda: bench.launches(run_id))
    pid = bench.launches(run_id)[0]

    os.kill(pid, signal.SIGSTOP)
    suspended_at = time.time()
    assert all(scheduler.tick(suspended_at + second) for second in range(0, 600, 5))
    os.kill(pid, signal.SIGCONT)

    assert bench.status(run_id) is RunStatus.STARTING


def test_an_hour_in_a_frozen_group_is_forgiven(bench: Bench, stage: Stage, freezer: Path) -> None:
    run_id = bench.queue()
    scheduler = stage.open(interval=1)
    stage.drive(scheduler, lambda: bench.is_running(run_id))
    (freezer / "cgroup.procs").write_text(str(bench.run(run_id).process.pid))
    state = freezer / "freezer.state"

    bench.halt(lambda: freeze(state), lambda: state.write_text("THAWED"))
    frozen_at = time.time()
    assert all(scheduler.tick(frozen_at + second) for second in range(0, 3600, 5))
    assert bench.status(run_id) is RunStatus.RUNNING

    state.write_text("THAWED")
    bench.let_finish()
    stage.drive(scheduler, lambda: bench.status(run_id) is RunStatus.COMPLETED)


def test_a_pid_that_went_to_another_process_is_neither_the_worker_nor_touched(
    bench: Bench, stage: Stage
) -> None:
    """The innocent one is this test's own process: it would not survive a signal."""
    run_id = bench.queue()
    _, token = bench.store.claim_next(1)
    innocent = own_identity(token)
    worker = type(innocent)(innocent.pid, innocent.created_at - 100, innocent.boot_id, token)
    bench.store.worker_started(run_id, token, worker)

    stage.open(progress=0, life=0, leave=0).tick(time.time())

    assert bench.status(run_id) is RunStatus.LOST
    assert "gone without a last word" in bench.run(run_id).reason


def freeze(state: Path) -> None:
    state.write_text("FROZEN")
    while state.read_text().strip() != "FROZEN":
        time.sleep(0.01)
