"""A real scheduler that is stopped in the middle of a round, loses its lease, and wakes up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from marsseg.identity import is_alive
from marsseg.settings import PROJECT_ROOT, Settings
from marsseg.store.records import RunStatus
from tests.execution.conftest import Bench, Eventually, Stage

DROWSY = "tests.execution.drowsy_scheduler"


class Drowsy:
    """The scheduler process that fell asleep over a run, having seen that the run is to stop at once."""

    def __init__(self, settings: Settings) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", DROWSY],
            cwd=PROJECT_ROOT,
            env={**os.environ, **settings.environment()},
            stdout=subprocess.PIPE,
            text=True,
        )

    def is_asleep(self) -> bool:
        return psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED

    def wake(self) -> str:
        """Let it go on to its end; returns what it said."""
        self.process.send_signal(signal.SIGCONT)
        said, _ = self.process.communicate(timeout=30)
        assert self.process.returncode == 0
        return said


@pytest.fixture
def drowsy(bench: Bench, settings: Settings) -> Iterator[Drowsy]:
    drowsy = Drowsy(settings)
    yield drowsy
    bench.end()
    drowsy.process.kill()
    drowsy.process.communicate()


@pytest.fixture
def run_id(bench: Bench, drowsy: Drowsy, eventually: Eventually) -> str:
    """A run whose worker is due to be ended, seen by the scheduler that then fell asleep."""
    run_id = bench.queue("stubborn")
    eventually(lambda: bench.is_running(run_id))
    bench.store.request_stop(run_id, now=True)
    eventually(drowsy.is_asleep)
    return run_id


@pytest.fixture
def take_over(stage: Stage, eventually: Eventually) -> Callable[[], None]:
    """Become the scheduler as soon as the sleeper's lease has expired, and do nothing yet."""

    def take_over() -> None:
        successor = stage.make()
        eventually(lambda: successor.initialize(time.time()))

    return take_over


def test_it_would_have_ended_the_worker(bench: Bench, drowsy: Drowsy, run_id: str) -> None:
    """So that the next tests show something: with its lease, it goes on where it fell asleep."""
    drowsy.process.send_signal(signal.SIGCONT)

    launched, why, how = (drowsy.process.stdout.readline() for _ in range(3))
    assert "launched" in launched
    assert "so the scheduler told the worker to end" in why
    assert "SIGTERM" in how


def test_it_signals_nobody(bench: Bench, drowsy: Drowsy, run_id: str, take_over: Callable[[], None]) -> None:
    worker = bench.run(run_id).process
    take_over()

    said = drowsy.wake()

    assert "stepping back" in said
    assert "ended: REPLACED" in said
    assert "SIG" not in said
    assert is_alive(worker)
    assert bench.status(run_id) is RunStatus.STOPPING


def test_it_writes_nothing(
    bench: Bench, drowsy: Drowsy, run_id: str, take_over: Callable[[], None], eventually: Eventually
) -> None:
    worker = bench.run(run_id).process
    queued = bench.queue()
    take_over()
    bench.kill(run_id)
    eventually(lambda: not is_alive(worker))
    before = (bench.store.version(), bench.run(run_id), bench.store.find_lease("scheduler"))

    said = drowsy.wake()

    assert "ended: REPLACED" in said
    assert (bench.store.version(), bench.run(run_id), bench.store.find_lease("scheduler")) == before
    assert bench.status(queued) is RunStatus.QUEUED


def test_its_successor_tells_the_truth_about_the_worker(
    bench: Bench, drowsy: Drowsy, run_id: str, stage: Stage, eventually: Eventually
) -> None:
    successor = stage.make(stop_now=0.2, kill=0.2)
    eventually(lambda: successor.initialize(time.time()))

    stage.drive(successor, lambda: bench.status(run_id).is_finished)
    reason = bench.run(run_id).reason
    drowsy.wake()

    assert bench.status(run_id) is RunStatus.STOPPED
    assert "ended by force" in reason
    assert bench.run(run_id).reason == reason
