"""A scheduler that dies between claim and launch loses no run, and starts none twice."""

from __future__ import annotations

import time

from marsseg.execution.launch import launch_worker
from marsseg.store.records import RunStatus
from tests.execution.conftest import SMALL_WORKER, Bench, Stage


def test_a_run_claimed_by_one_that_died_before_the_launch_is_launched_by_the_next(
    bench: Bench, stage: Stage
) -> None:
    run_id = bench.queue()
    bench.let_finish()
    bench.store.claim_next(1)

    scheduler = stage.open()
    stage.drive(scheduler, lambda: bench.status(run_id).is_finished)

    assert bench.status(run_id) is RunStatus.COMPLETED
    assert len(bench.launches(run_id)) == bench.run(run_id).launches == 1
    assert "before its worker had reported" in "".join(e.message for e in bench.store.list_events(run_id))


def test_one_that_was_asked_to_stop_meanwhile_is_stopped(bench: Bench, stage: Stage) -> None:
    run_id = bench.queue()
    bench.store.claim_next(1)
    bench.store.request_stop(run_id)

    stage.open().tick(time.time())

    assert bench.status(run_id) is RunStatus.STOPPED
    assert bench.run(run_id).reason == "Stopped before its worker had reported."
    assert not bench.launches(run_id)


def test_a_worker_whose_claim_was_taken_back_writes_nothing(bench: Bench, stage: Stage) -> None:
    """Its scheduler died between making the process and becoming the worker in it, unseen by the next one."""
    run_id = bench.queue()
    claimed = bench.store.claim_next(1)
    assert claimed is not None
    bench.store.release_claim(run_id, claimed[1])

    late = launch_worker(bench.settings, run_id, claimed[1], threads=1, module=SMALL_WORKER)
    late.wait(timeout=60)

    assert bench.status(run_id) is RunStatus.QUEUED
    assert bench.run(run_id).process is None
