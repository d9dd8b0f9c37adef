from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from marsseg.errors import MarsSegError
from marsseg.execution.control import ensure_scheduler, scheduler_status
from marsseg.execution.launch import worker_environment
from marsseg.execution.lease import SCHEDULER_LAUNCH, holder_of
from marsseg.identity import TOKEN_VARIABLE, identify, is_alive
from marsseg.settings import PROJECT_ROOT, Settings, usable_cores
from marsseg.store.leases import SCHEDULER
from marsseg.store.records import RunStatus
from tests.conftest import processes_of
from tests.execution.conftest import SCHEDULER_ARGUMENTS, Bench, Eventually, scheduler_log_text

Ensure = Callable[[], int]

SUBMITTER = f"""
import sys
from marsseg.execution.control import ensure_scheduler
from marsseg.settings import load_settings
sys.stdin.readline()
ensure_scheduler(load_settings(), arguments={SCHEDULER_ARGUMENTS!r})
print("ensured", flush=True)
sys.stdin.readline()
"""


def submitter(settings: Settings) -> subprocess.Popen[str]:
    """A process of its own that ensures a scheduler at the first line it reads and ends at the second."""
    return subprocess.Popen(
        [sys.executable, "-c", SUBMITTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT_ROOT,
        env={**os.environ, **settings.environment()},
    )


def say(process: subprocess.Popen[str]) -> None:
    process.stdin.write("\n")
    process.stdin.flush()


def schedulers(settings: Settings) -> list[psutil.Process]:
    return [p for p in processes_of(settings.home) if "marsseg.execution.scheduler" in p.cmdline()]


def test_the_status_names_the_process_and_its_start(bench: Bench, detached: Ensure) -> None:
    assert not scheduler_status(bench.store).alive
    bench.queue()
    before = time.time()

    pid = detached()

    status = scheduler_status(bench.store)
    assert psutil.Process(pid).cmdline()[1:3] == ["-m", "marsseg.execution.scheduler"]
    assert before - 1 <= status.since <= time.time() + 1


def test_one_that_is_alive_is_left_alone(bench: Bench, detached: Ensure, eventually: Eventually) -> None:
    run_id = bench.queue()

    assert detached() == detached()
    eventually(
        lambda: bench.is_running(run_id)
    )  # until it is, a fork of the scheduler looks like a second one
    assert len(schedulers(bench.settings)) == 1


def test_it_runs_the_queue_logs_what_it_does_and_ends_when_idle(
    bench: Bench, detached: Ensure, eventually: Eventually
) -> None:
    run_id = bench.queue()
    identity = identify(detached())

    bench.let_finish()

    eventually(lambda: bench.status(run_id) is RunStatus.COMPLETED)
    eventually(lambda: not is_alive(identity))
    assert not scheduler_status(bench.store).alive
    assert not psutil.pid_exists(identity.pid), "a zombie"
    assert f"run {run_id}: launched" in scheduler_log_text(bench.settings.home)


def test_a_killed_scheduler_is_replaced_and_its_worker_adopted(
    bench: Bench, detached: Ensure, eventually: Eventually
) -> None:
    run_id = bench.queue()
    first = detached()
    eventually(lambda: bench.is_running(run_id))

    os.kill(first, signal.SIGKILL)
    eventually(lambda: not scheduler_status(bench.store).alive)
    second = detached()
    eventually(lambda: f"run {run_id}: adopted" in scheduler_log_text(bench.settings.home))
    bench.let_finish()

    assert second != first
    eventually(lambda: bench.status(run_id) is RunStatus.COMPLETED)
    assert len(bench.launches(run_id)) == 1


def test_a_scheduler_told_to_end_leaves_its_worker_to_the_next(
    bench: Bench, detached: Ensure, eventually: Eventually
) -> None:
    run_id = bench.queue()
    first = identify(detached())
    eventually(lambda: bench.is_running(run_id))

    os.kill(first.pid, signal.SIGTERM)
    eventually(lambda: not is_alive(first))
    assert bench.store.find_lease(SCHEDULER) is None
    assert bench.status(run_id) is RunStatus.RUNNING

    detached()
    bench.let_finish()
    eventually(lambda: bench.status(run_id) is RunStatus.COMPLETED)


def test_a_run_outlives_the_process_that_submitted_it(
    bench: Bench, detached: Ensure, eventually: Eventually
) -> None:
    run_id = bench.queue()
    page_server = submitter(bench.settings)
    say(page_server)
    assert page_server.stdout.readline() == "ensured\n"
    eventually(lambda: bench.is_running(run_id))

    page_server.kill()
    page_server.communicate()
    bench.let_finish()

    eventually(lambda: bench.status(run_id) is RunStatus.COMPLETED)
    eventually(lambda: not schedulers(bench.settings))


def test_many_submitters_at_once_get_one_scheduler(
    bench: Bench, detached: Ensure, eventually: Eventually
) -> None:
    run_id = bench.queue()
    crowd = [submitter(bench.settings) for _ in range(3)]
    for each in crowd:
        say(each)
    for each in crowd:
        assert each.stdout.readline() == "ensured\n"

    eventually(lambda: bench.is_running(run_id))
    assert len(schedulers(bench.settings)) == 1
    for each in crowd:
        each.communicate()
    assert len(bench.launches(run_id)) == 1


def test_a_second_scheduler_process_steps_back(bench: Bench, detached: Ensure) -> None:
    bench.queue()
    first = detached()
    environment = {**os.environ, **bench.settings.environment()}

    command = [sys.executable, "-m", "marsseg.execution.scheduler", *SCHEDULER_ARGUMENTS]
    second = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, timeout=60, check=False)

    assert second.returncode == 0
    assert scheduler_status(bench.store).pid == first
    assert "stepping back" in scheduler_log_text(bench.settings.home)


def test_a_scheduler_that_a_worker_started_serves_with_the_whole_machine(
    bench: Bench, eventually: Eventually
) -> None:
    """As a worker does that leaves, finds runs queued, and the scheduler dead."""
    run_id = bench.queue()
    share = worker_environment(bench.settings, "token", threads=1, gpu="GPU-of-the-worker")
    command = [sys.executable, "-m", "marsseg.execution.scheduler", *SCHEDULER_ARGUMENTS]
    scheduler = subprocess.Popen(command, cwd=PROJECT_ROOT, env=share, start_new_session=True)

    eventually(lambda: bench.is_running(run_id))
    assert bench.run(run_id).threads == usable_cores()
    assert bench.told(run_id, "CUDA_VISIBLE_DEVICES") == os.environ.get("CUDA_VISIBLE_DEVICES", "")
    assert bench.told(run_id, TOKEN_VARIABLE) == bench.run(run_id).token

    bench.let_finish()
    assert scheduler.wait(30) == 0
    assert bench.status(run_id) is RunStatus.COMPLETED


def test_the_lease_of_a_dead_process_is_no_scheduler(bench: Bench) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    bench.store.acquire_lease(SCHEDULER, holder_of(process.pid).to_text(), time.time(), 600)
    assert scheduler_status(bench.store).pid == process.pid

    process.communicate()

    assert not scheduler_status(bench.store).alive


def test_an_expired_lease_is_no_scheduler(bench: Bench) -> None:
    bench.store.acquire_lease(SCHEDULER, holder_of(os.getpid()).to_text(), time.time() - 60, 15)

    assert not scheduler_status(bench.store).alive


def test_a_launch_that_fails_is_told_and_may_be_tried_again(
    bench: Bench, detached: Ensure, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.queue()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/nonexistent/python")
        with pytest.raises(MarsSegError, match="could not be started"):
            ensure_scheduler(bench.settings, store=bench.store, arguments=SCHEDULER_ARGUMENTS)

    assert bench.store.find_lease(SCHEDULER_LAUNCH) is None
    assert detached()
