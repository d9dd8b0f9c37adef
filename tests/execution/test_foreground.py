"""`python -m marsseg scheduler`: what service managers run, stop and restart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from marsseg.execution.control import scheduler_status
from marsseg.settings import PROJECT_ROOT, Settings
from marsseg.store.records import RunStatus
from tests.execution.conftest import SMALL_WORKER, Bench, Eventually, scheduler_log_text

Start = Callable[..., subprocess.Popen[str]]

WITH_SMALL_WORKER = f"""
import functools, sys
from marsseg.cli import main
from marsseg.execution import scheduler
scheduler.ServeOptions = functools.partial(
    scheduler.ServeOptions, worker_module={SMALL_WORKER!r}, interval_seconds=0.1
)
main()
"""


@pytest.fixture
def foreground(bench: Bench, settings: Settings) -> Iterator[Start]:
    """Start `python -m marsseg scheduler`, but with a worker that needs no TensorFlow."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", WITH_SMALL_WORKER, "scheduler", *options],
            cwd=PROJECT_ROOT,
            env={**os.environ, **settings.environment()},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    bench.end()
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def serving(bench: Bench, eventually: Eventually) -> Callable[[subprocess.Popen[str]], None]:
    def wait(process: subprocess.Popen[str]) -> None:
        eventually(lambda: scheduler_status(bench.store).pid == process.pid)

    return wait


Serving = Callable[[subprocess.Popen[str]], None]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0_and_leaves_the_worker_alone(
    bench: Bench, foreground: Start, eventually: Eventually, signum: signal.Signals
) -> None:
    run_id = bench.queue()
    process = foreground()
    eventually(lambda: bench.is_running(run_id))

    process.send_signal(signum)
    out, err = process.communicate(timeout=20)

    assert process.returncode == 0
    assert out == ""
    assert f"run {run_id}: launched" in err
    assert f"run {run_id}: launched" in scheduler_log_text(bench.settings.home)
    assert not scheduler_status(bench.store).alive
    beaten_at = bench.run(run_id).heartbeat_at
    eventually(lambda: bench.run(run_id).heartbeat_at > beaten_at)


def test_the_next_one_goes_on_with_the_worker_of_the_last(
    bench: Bench, foreground: Start, eventually: Eventually
) -> None:
    run_id = bench.queue()
    first = foreground()
    eventually(lambda: bench.is_running(run_id))
    first.terminate()
    first.communicate(timeout=20)

    foreground()
    bench.let_finish()

    eventually(lambda: bench.status(run_id) is RunStatus.COMPLETED)
    assert len(bench.launches(run_id)) == 1


def test_with_a_limit_it_ends_when_idle(bench: Bench, foreground: Start) -> None:
    process = foreground("--idle-seconds", "0.3")

    assert process.wait(30) == 0
    assert "Nothing to do for 0.3 seconds" in process.stderr.read()


def test_without_one_it_waits_for_work(
    bench: Bench, foreground: Start, serving: Serving, eventually: Eventually
) -> None:
    process = foreground()
    serving(process)
    time.sleep(1)
    assert process.poll() is None

    run_id = bench.queue()

    eventually(lambda: bench.is_running(run_id))


def test_a_second_one_names_the_first_and_steps_back(
    bench: Bench, foreground: Start, serving: Serving
) -> None:
    first = foreground()
    serving(first)

    second = foreground()
    _, err = second.communicate(timeout=30)

    assert second.returncode == 0
    assert f"Process {first.pid} schedules the runs of {bench.settings.home}; stepping back." in err
    assert scheduler_status(bench.store).pid == first.pid


def test_one_that_waits_takes_over_as_soon_as_the_first_is_gone(
    bench: Bench, foreground: Start, serving: Serving, eventually: Eventually
) -> None:
    first = foreground()
    serving(first)
    second = foreground("--wait")
    assert "standing by" in second.stderr.readline()
    run_id = bench.queue()
    eventually(lambda: bench.is_running(run_id))

    first.kill()
    first.wait()

    serving(second)
    bench.let_finish()
    eventually(lambda: bench.status(run_id) is RunStatus.COMPLETED)
    assert len(bench.launches(run_id)) == 1


def test_one_that_waits_can_be_told_to_end(bench: Bench, foreground: Start, serving: Serving) -> None:
    first = foreground()
    serving(first)
    second = foreground("--wait")
    assert "standing by" in second.stderr.readline()

    second.terminate()

    assert second.wait(20) == 0
    assert scheduler_status(bench.store).pid == first.pid


def test_one_that_waits_is_there_again_after_it_was_replaced(
    bench: Bench, foreground: Start, serving: Serving, eventually: Eventually
) -> None:
    """It slept for longer than its lease, as on a laptop; another one served meanwhile."""
    first = foreground("--wait")
    serving(first)
    bench.halt(lambda: first.send_signal(signal.SIGSTOP), lambda: first.send_signal(signal.SIGCONT))
    lease = bench.store.find_lease("scheduler")
    bench.store.release_lease("scheduler", lease.owner, lease.token)  # as if it had expired
    second = foreground()
    serving(second)

    first.send_signal(signal.SIGCONT)
    eventually(lambda: "standing by" in scheduler_log_text(bench.settings.home))
    second.terminate()

    serving(first)


def test_a_store_that_cannot_be_opened_is_told_in_a_sentence(settings: Settings) -> None:
    (settings.home / "runs.db").write_text("no database, but text that goes on for a while")

    done = subprocess.run(
        [sys.executable, "-m", "marsseg", "scheduler"],
        cwd=PROJECT_ROOT,
        env={**os.environ, **settings.environment()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert "not a readable database" in done.stderr
