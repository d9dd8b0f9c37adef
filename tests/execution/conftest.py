from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import psutil
import pytest

from marsseg.config import RunConfig
from marsseg.execution.clocks import Deadlines
from marsseg.execution.control import ensure_scheduler, scheduler_status
from marsseg.execution.devices import Gpu
from marsseg.execution.rounds import Scheduler
from marsseg.settings import Settings
from marsseg.store import RunStore
from marsseg.store.records import EpochRecord, NewRun, RunRecord, RunStatus
from tests.execution.killing import Arena, write_small_course

SMALL_WORKER = "tests.execution.small_worker"
SCHEDULER_ARGUMENTS = ["--idle-seconds", "0.5", "--interval-seconds", "0.1", "--worker-module", SMALL_WORKER]


class Eventually(Protocol):
    def __call__(self, condition: Callable[[], object], timeout: float = 60) -> None: ...


@pytest.fixture
def eventually() -> Eventually:
    """Poll a condition until it holds, or fail after a deadline."""

    def wait(condition: Callable[[], object], timeout: float = 60) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"not within {timeout} s"
            time.sleep(0.03)

    return wait


@pytest.fixture
def store(settings: Settings) -> Iterator[RunStore]:
    store = RunStore.open(settings)
    yield store
    store.close()


class Bench:
    """A store with a dataset, and what a test does to it from outside."""

    def __init__(self, settings: Settings, store: RunStore) -> None:
        self.settings = settings
        self.store = store
        self.dataset = store.add_dataset("tiles", "0" * 64, "nowhere", {"outlier_groups": []})

    def queue(self, name: str = "patient", *, priority: int = 0) -> str:
        new = NewRun(RunConfig(), name, "f" * 16, self.dataset.id, priority=priority)
        return self.store.add_run(new).id

    def run(self, run_id: str) -> RunRecord:
        return self.store.get_run(run_id)

    def status(self, run_id: str) -> RunStatus:
        return self.run(run_id).status

    def is_running(self, run_id: str) -> bool:
        run = self.run(run_id)
        return run.status is RunStatus.RUNNING and run.progress is not None

    def let_finish(self) -> None:
        (self.settings.home / "go").touch()

    def add_epochs(self, run_id: str, *epochs: int) -> None:
        for number in epochs:
            record = EpochRecord(number, 1.0, 1.0, 0.5, (0.5,) * 5, 0.001, 1.0, 20.0)
            self.store.add_epoch(run_id, self.run(run_id).token, record)

    def told(self, run_id: str, variable: str) -> str:
        """What a variable was in the environment of a run's worker."""
        return psutil.Process(self.run(run_id).process.pid).environ().get(variable, "")

    def launches(self, run_id: str) -> list[int]:
        with contextlib.suppress(FileNotFoundError):
            return list(map(int, (self.settings.run_dir(run_id) / "launches").read_text().split()))
        return []

    def log(self, run_id: str) -> str:
        return (self.settings.run_dir(run_id) / "log.txt").read_text()

    def kill(self, run_id: str, signum: signal.Signals = signal.SIGKILL) -> None:
        os.kill(self.run(run_id).process.pid, signum)

    def suspend(self, run_id: str) -> None:
        """Stop a worker by a signal."""
        self.halt(lambda: self.kill(run_id, signal.SIGSTOP), lambda: self.kill(run_id, signal.SIGCONT))

    def halt(self, stop: Callable[[], None], go_on: Callable[[], None]) -> None:
        """Halt a process, but not within a write: it would hold SQLite's one write lock all the while."""
        stop()
        while not self._is_writable():
            go_on()
            time.sleep(0.02)
            stop()

    def end(self) -> None:
        """Let all workers finish, also suspended ones."""
        self.let_finish()
        for run in self.store.list_runs():
            if run.process:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(run.process.pid, signal.SIGCONT)

    def _is_writable(self) -> bool:
        with contextlib.closing(sqlite3.connect(self.settings.home / "runs.db", timeout=0.3)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
            return True


@pytest.fixture
def bench(settings: Settings, store: RunStore, no_leftover_processes: None) -> Iterator[Bench]:
    """Ends, at the end of a test, what waits for a word; whoever stays all the same fails the test."""
    bench = Bench(settings, store)
    yield bench
    bench.end()


class Stage:
    """Schedulers in this process, stepped by the test."""

    def __init__(self, bench: Bench, eventually: Eventually) -> None:
        self._bench = bench
        self._eventually = eventually
        self.made: list[Scheduler] = []

    def make(self, *, slots: int | None = 1, gpus: Sequence[Gpu] = (), **deadlines: float) -> Scheduler:
        settings = Settings(self._bench.settings.home, self._bench.settings.database_url, slots=slots)
        scheduler = Scheduler(
            settings,
            self._bench.store,
            deadlines=Deadlines(**{"interval": 0.1, **deadlines}),
            worker_module=SMALL_WORKER,
            gpus=gpus,
        )
        self.made.append(scheduler)
        return scheduler

    def open(self, **options: Any) -> Scheduler:
        scheduler = self.make(**options)
        assert scheduler.initialize(time.time())
        return scheduler

    def drive(self, scheduler: Scheduler, until: Callable[[], object], timeout: float = 60) -> None:
        """Tick until a condition holds."""

        def tick_and_look() -> object:
            scheduler.tick(time.time())
            return until()

        self._eventually(tick_and_look, timeout)


@pytest.fixture
def stage(bench: Bench, eventually: Eventually) -> Iterator[Stage]:
    stage = Stage(bench, eventually)
    yield stage
    bench.end()
    for scheduler in stage.made:
        scheduler.shutdown()


@pytest.fixture
def detached(bench: Bench, settings: Settings) -> Iterator[Callable[[], int]]:
    """Make sure that a scheduler process lives; returns its pid."""

    def ensure() -> int:
        ensure_scheduler(settings, store=bench.store, arguments=SCHEDULER_ARGUMENTS)
        deadline = time.monotonic() + 60
        while not (status := scheduler_status(bench.store)).alive:
            assert time.monotonic() < deadline, scheduler_log_text(settings.home)
            time.sleep(0.03)
        return status.pid

    yield ensure
    bench.end()
    status = scheduler_status(bench.store)
    with contextlib.suppress(psutil.Error):  # who does not go fails the test at its very end
        if status.pid:
            scheduler = psutil.Process(status.pid)
            scheduler.terminate()
            scheduler.wait(10)


def scheduler_log_text(home: Path) -> str:
    log = home / "artifacts" / "scheduler.log"
    return log.read_text() if log.exists() else "no scheduler.log"


@pytest.fixture(scope="session")
def small_course_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_course(tmp_path_factory.mktemp("course") / "small.npz")


@pytest.fixture
def arena(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    small_course_file: Path,
    no_leftover_processes: None,
) -> Iterator[Arena]:
    """A lab in which real schedulers launch real workers; for tests marked `training`."""
    arena = Arena.make(settings, monkeypatch, small_course_file)
    yield arena
    arena.end()
