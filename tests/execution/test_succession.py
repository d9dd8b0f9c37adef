from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import psutil
import pytest

from marsseg.errors import DamagedStoreError, StoreError
from marsseg.identity import is_alive
from marsseg.store.records import RunStatus
from tests.execution.conftest import Bench, Eventually, Stage


def test_of_two_schedulers_the_second_steps_back(bench: Bench, stage: Stage) -> None:
    stage.open()

    assert not stage.make().initialize(time.time())


def test_one_that_lost_its_lease_does_nothing_more(bench: Bench, stage: Stage) -> None:
    slept = stage.open(lease=5)
    an_hour_later = time.time() + 3600
    successor = stage.make()
    assert successor.initialize(an_hour_later)
    run_id = bench.queue()

    assert not slept.tick(an_hour_later + 1)
    assert bench.status(run_id) is RunStatus.QUEUED
    assert not slept.tick(an_hour_later + 2)


def test_a_claim_of_one_that_lost_its_lease_is_refused(
    bench: Bench, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept = stage.open(lease=5)
    monkeypatch.setattr("marsseg.execution.lease.SchedulerLease.hold", lambda *_: True)  # asleep right after
    assert stage.make().initialize(time.time() + 3600)
    run_id = bench.queue()

    assert not slept.tick(time.time())

    assert bench.status(run_id) is RunStatus.QUEUED
    assert not bench.launches(run_id)


@pytest.mark.parametrize("word", ["mark_lost", "finish"])
def test_a_last_word_of_one_that_loses_its_lease_right_before_is_refused(
    bench: Bench, stage: Stage, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    run_id = bench.queue("stubborn")
    slept = stage.open(stop_now=0, kill=60)
    stage.drive(slept, lambda: bench.is_running(run_id))
    worker = bench.run(run_id).process
    if word == "finish":
        bench.store.request_stop(run_id, now=True)
        slept.tick(time.time())
    bench.kill(run_id)
    os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
    before = bench.store.version()
    speak: Callable[..., object] = getattr(bench.store, word)

    def lose_the_lease_and_speak(*arguments: object, **options: object) -> object:
        assert stage.make().initialize(time.time() + 3600)
        return speak(*arguments, **options)

    monkeypatch.setattr(bench.store, word, lose_the_lease_and_speak)
    assert not slept.tick(time.time())

    assert bench.store.version() == before
    assert bench.status(run_id).is_active


def test_a_successor_adopts_the_living_worker(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue()
    first = stage.open()
    stage.drive(first, lambda: bench.is_running(run_id))
    first.shutdown()

    second = stage.open()
    second.tick(time.time())
    bench.let_finish()
    stage.drive(second, lambda: bench.status(run_id).is_finished)

    assert bench.status(run_id) is RunStatus.COMPLETED
    assert len(bench.launches(run_id)) == 1


def test_an_adopted_worker_that_is_killed_is_lost(bench: Bench, stage: Stage, eventually: Eventually) -> None:
    run_id = bench.queue()
    first = stage.open()
    stage.drive(first, lambda: bench.is_running(run_id))
    worker = bench.run(run_id).process
    first.shutdown()
    second = stage.open()
    second.tick(time.time())

    bench.kill(run_id)
    eventually(lambda: not is_alive(worker))
    second.tick(time.time())

    assert bench.status(run_id) is RunStatus.LOST
    assert f"process {worker.pid}" in bench.run(run_id).reason


def test_a_zombie_is_no_worker(bench: Bench, stage: Stage, eventually: Eventually) -> None:
    run_id = bench.queue()
    parent = stage.open()
    stage.drive(parent, lambda: bench.is_running(run_id))
    worker = psutil.Process(bench.run(run_id).process.pid)
    parent.shutdown()

    bench.kill(run_id)
    eventually(lambda: worker.status() == psutil.STATUS_ZOMBIE)  # nobody has waited for it
    stage.open().tick(time.time())

    assert worker.status() == psutil.STATUS_ZOMBIE
    assert bench.status(run_id) is RunStatus.LOST


def test_a_successor_finds_a_worker_that_has_not_reported_yet(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue("speechless")
    first = stage.open()
    stage.drive(first, lambda: bench.launches(run_id))
    first.shutdown()

    second = stage.open(report=0.5)
    second.tick(time.time())
    assert bench.status(run_id) is RunStatus.STARTING
    stage.drive(second, lambda: bench.status(run_id).is_finished)

    assert "did not report" in bench.run(run_id).reason


def test_a_successor_ends_a_worker_that_does_not_leave_after_its_last_word(
    bench: Bench, stage: Stage, eventually: Eventually
) -> None:
    run_id = bench.queue("lingering")
    first = stage.open()
    stage.drive(first, lambda: bench.is_running(run_id))
    worker = bench.run(run_id).process
    first.shutdown()
    bench.let_finish()
    eventually(lambda: bench.status(run_id) is RunStatus.COMPLETED)
    assert is_alive(worker)

    second = stage.open(leave=0.3)
    stage.drive(second, lambda: not is_alive(worker), 20)

    assert bench.status(run_id) is RunStatus.COMPLETED


def test_after_a_reboot_an_active_run_is_lost_for_that_reason(
    bench: Bench, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = bench.queue()
    first = stage.open()
    stage.drive(first, lambda: bench.is_running(run_id))
    worker = bench.run(run_id).process
    first.shutdown()

    with monkeypatch.context() as patch:
        patch.setattr("marsseg.identity.boot_id", lambda: "the next boot")
        stage.open().tick(time.time())

    assert bench.status(run_id) is RunStatus.LOST
    assert "machine was restarted" in bench.run(run_id).reason
    os.kill(worker.pid, signal.SIGKILL)


def test_it_ends_when_idle_and_not_before(bench: Bench, stage: Stage) -> None:
    scheduler = stage.open(idle=10, interval=1)
    start = time.time()

    assert all(scheduler.tick(start + second) for second in range(10))
    assert not scheduler.tick(start + 10)
    assert bench.store.find_lease("scheduler") is None


def test_work_starts_the_idle_time_anew(bench: Bench, stage: Stage) -> None:
    scheduler = stage.open(idle=10, interval=1)
    start = time.time()
    assert all(scheduler.tick(start + second) for second in range(9))

    run_id = bench.queue()
    assert scheduler.tick(start + 9)
    bench.let_finish()

    stage.drive(scheduler, lambda: bench.status(run_id) is RunStatus.COMPLETED)


def test_a_run_queued_while_it_ends_is_not_left_behind(
    bench: Bench, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = stage.open(idle=0)
    queued: list[str] = []
    release = bench.store.release_lease

    def queue_then_release(*arguments: object) -> bool:
        queued.append(bench.queue())
        return release(*arguments)

    monkeypatch.setattr(bench.store, "release_lease", queue_then_release)
    assert scheduler.tick(time.time())
    monkeypatch.undo()

    stage.drive(scheduler, lambda: bench.is_running(queued[0]))


def test_a_clock_set_back_and_forth_marks_nothing_wrong(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue()
    scheduler = stage.open(heartbeat=60, progress=600, stop=600)
    stage.drive(scheduler, lambda: bench.is_running(run_id))

    for moved in (-3600, 0, 7200, 0):
        assert scheduler.tick(time.time() + moved)
        assert bench.status(run_id) is RunStatus.RUNNING
    bench.let_finish()
    stage.drive(scheduler, lambda: bench.status(run_id) is RunStatus.COMPLETED)


def test_a_clock_set_back_one_hour_leaves_the_lease_where_it_is(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue()
    scheduler = stage.open()
    stage.drive(scheduler, lambda: bench.is_running(run_id))
    before = time.time() - 3600

    for second in range(60):
        assert scheduler.tick(before + second)
        assert not stage.make().initialize(before + second)

    assert bench.status(run_id) is RunStatus.RUNNING
    assert len(bench.launches(run_id)) == 1


def test_run_survives_a_store_that_refuses_for_a_moment(
    bench: Bench, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = stage.open(interval=0.01, idle=0.2)
    list_runs: Callable[..., object] = bench.store.list_runs
    refusals = iter([True, True])

    def sometimes(**options: object) -> object:
        if next(refusals, False):
            raise StoreError("The database stayed busy.")
        return list_runs(**options)

    monkeypatch.setattr(bench.store, "list_runs", sometimes)
    run_id = bench.queue("mute")
    scheduler.run()

    assert bench.status(run_id) is RunStatus.LOST


def test_run_gives_up_on_a_store_that_is_gone(bench: Bench, stage: Stage) -> None:
    scheduler = stage.open(interval=0.01, refusal=0.05)
    bench.store.close()
    database = bench.settings.home / "runs.db"
    aside = database.rename(database.with_name("aside.db"))
    database.mkdir()

    with pytest.raises(StoreError):
        scheduler.run()
    scheduler.shutdown()

    database.rmdir()
    aside.rename(database)


def test_run_ends_at_once_on_a_store_that_is_damaged(
    bench: Bench, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = stage.open(interval=0.01, refusal=600)

    def damaged(**_options: object) -> object:
        raise DamagedStoreError("The file is not a readable database.")

    with monkeypatch.context() as patch:
        patch.setattr(bench.store, "list_runs", damaged)
        with pytest.raises(DamagedStoreError):
            scheduler.run()
