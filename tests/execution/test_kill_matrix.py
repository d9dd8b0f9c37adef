"""Kill what can die, in every phase, by both signals: the store tells the truth, nothing is lost or doubled.

Workers, schedulers and page servers are the real ones. `make test` takes each phase once; the marker `long`
holds the rest. Each case ends with the same numbers as a run that nobody disturbed.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser, sync_playwright

from marsseg import services
from marsseg.execution.control import scheduler_status
from marsseg.identity import is_alive
from marsseg.settings import Settings
from marsseg.store.records import RunStatus
from scripts.browser import find_chromium
from tests.browser.conftest import CHROMIUM_FLAGS
from tests.execution.killing import (
    CONFIG,
    EPOCHS,
    HEARTBEATS,
    POINTS,
    Arena,
    kill_scheduler,
    kill_worker,
    numbers,
    works_on,
)
from tests.support.serving import Server

pytestmark = [pytest.mark.training, pytest.mark.processes]

PHASES = ("queued", *POINTS)
SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM}
TARGETS = ("worker", "scheduler", "ui")
SAMPLE = {
    ("worker", "queued", "SIGKILL"),
    ("scheduler", "loading", "SIGKILL"),
    ("worker", "building", "SIGTERM"),
    ("worker", "mid-epoch", "SIGKILL"),
    ("worker", "checkpoint write", "SIGKILL"),
    ("worker", "evaluation", "SIGKILL"),
    ("scheduler", "export", "SIGTERM"),
    ("ui", "mid-epoch", "SIGKILL"),
}
"""Each phase, target and signal at least once."""


def cases(target: str) -> list[Any]:
    """All phases and signals for one target; those beyond the sample are `long`."""
    return [
        pytest.param(
            phase,
            SIGNALS[name],
            id=f"{phase}-{name}",
            marks=() if (target, phase, name) in SAMPLE else pytest.mark.long,
        )
        for phase, name in itertools.product(PHASES, SIGNALS)
    ]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, small_course_file: Path) -> dict[str, Any]:
    """The numbers of the same run when nobody kills anything."""
    home = tmp_path_factory.mktemp("undisturbed")
    settings = Settings(home=home, database_url=f"sqlite:///{home / 'runs.db'}")
    with pytest.MonkeyPatch.context() as patch:
        arena = Arena.make(settings, patch, small_course_file)
        run = services.submit(arena.lab, CONFIG)
        assert arena.finish(run.id).status is RunStatus.COMPLETED, arena.story()
        measured = numbers(arena.lab, run.id)
        arena.end()
    return measured


Visit = Callable[[], tuple[Server, Browser]]


@pytest.fixture
def visit(settings: Settings, tmp_path: Path, arena: Arena) -> Iterator[Visit]:
    """Serve the pages and open one in a browser, which stays there; returns both."""
    with ExitStack() as stack:

        def serve_and_open() -> tuple[Server, Browser]:
            server = stack.enter_context(Server(settings.environment(), tmp_path / "server.log"))
            playwright = stack.enter_context(sync_playwright())
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
            browser.new_page().goto(f"{server.url}/runs")
            return server, browser

        yield serve_and_open


def start_and_hold(arena: Arena, phase: str) -> str:
    """Queue a run and bring it to a phase; returns its id."""
    if phase == "queued":
        services.pause_queue(arena.lab)
    else:
        arena.hold_at(POINTS[phase])
    run = services.submit(arena.lab, CONFIG)
    if phase == "queued":
        arena.wait(lambda: scheduler_status(arena.lab.store).alive, "the scheduler")
    else:
        arena.wait(arena.is_held, f"the worker to come to {phase}")
    return run.id


def let_go_on(arena: Arena, phase: str) -> None:
    arena.release()
    if phase == "queued":
        services.pause_queue(arena.lab, paused=False)


def wait_for_end(server: Server, browser: Browser) -> None:
    """Wait until the page server is gone; leave its page if that is what it waits for.

    A connection that comes in while uvicorn closes all others is kept open until the browser closes it.
    """
    try:
        server.process.wait(30)
    except subprocess.TimeoutExpired:
        connections = psutil.Process(server.process.pid).net_connections("tcp")
        assert any(c.status == psutil.CONN_ESTABLISHED for c in connections), server.log.read_text("utf-8")
        assert not any(c.status == psutil.CONN_LISTEN for c in connections), server.log.read_text("utf-8")
        browser.close()
        server.process.wait(30)


def assert_whole(arena: Arena, run_id: str, undisturbed: dict[str, Any], launches: int) -> None:
    """Completed, every epoch once, the same numbers, no launch too many, nobody left."""
    run = arena.run(run_id)
    assert run.status is RunStatus.COMPLETED, arena.story()
    assert [epoch.epoch for epoch in arena.lab.store.list_epochs(run_id)] == list(range(1, EPOCHS + 1))
    assert numbers(arena.lab, run_id) == undisturbed
    assert run.launches == launches
    assert services.find_run(arena.lab, run_id) == run
    assert (arena.lab.settings.run_dir(run_id) / "model.onnx").is_file()
    arena.wait(lambda: not arena.workers(), "the worker to leave")


def report(arena: Arena, what: str, seconds: float) -> None:
    """Print how long the truth took, in heartbeats of a second; pytest shows it with -rP."""
    print(f"{what}: the store told the truth after {seconds:.2f} s of at most {HEARTBEATS} heartbeats")  # noqa: T201


@pytest.mark.parametrize(("phase", "signum"), cases("worker"))
def test_a_worker_is_killed(
    arena: Arena, undisturbed: dict[str, Any], phase: str, signum: signal.Signals
) -> None:
    if phase == "queued":  # it has a process before it has a word to say
        arena.hold_at({"phase": "starting"})
        run_id = services.submit(arena.lab, CONFIG).id
        arena.wait(arena.is_held, "the worker to start")
    else:
        run_id = start_and_hold(arena, phase)

    kill_worker(arena, run_id, signum)
    if signum is signal.SIGKILL or phase == "queued":
        seconds = arena.wait(lambda: arena.run(run_id).status is RunStatus.LOST, "lost", 30)
        assert f"signal {signum.value}" in arena.run(run_id).reason
    else:
        seconds = arena.wait(lambda: arena.run(run_id).status is RunStatus.STOPPING, "stopping", 30)
        assert any("SIGTERM" in event.message for event in arena.lab.store.list_events(run_id))
    report(arena, f"worker, {phase}, {signum.name}", seconds)

    ended = arena.finish(run_id)
    assert ended.status in {RunStatus.LOST, RunStatus.STOPPED, RunStatus.COMPLETED}
    assert [e.epoch for e in arena.lab.store.list_epochs(run_id)] == list(
        range(1, len(arena.lab.store.list_epochs(run_id)) + 1)
    )
    if ended.status is not RunStatus.COMPLETED:
        services.resume(arena.lab, run_id)
        arena.finish(run_id)
    assert_whole(arena, run_id, undisturbed, launches=1 if ended.status is RunStatus.COMPLETED else 2)


@pytest.mark.parametrize(("phase", "signum"), cases("scheduler"))
def test_a_scheduler_is_killed(
    arena: Arena, undisturbed: dict[str, Any], phase: str, signum: signal.Signals
) -> None:
    run_id = start_and_hold(arena, phase)
    before = arena.run(run_id)

    kill_scheduler(arena, run_id, signum)
    seconds = arena.wait(lambda: not scheduler_status(arena.lab.store).alive, "no scheduler", 30)
    report(arena, f"scheduler, {phase}, {signum.name}", seconds)

    assert arena.run(run_id).status is before.status
    if phase != "queued":
        arena.wait_for_beat(run_id)
    services.activity(arena.lab)  # as any page that someone looks at
    arena.wait(lambda: scheduler_status(arena.lab.store).alive, "the next scheduler", 30)
    let_go_on(arena, phase)
    arena.finish(run_id)
    assert_whole(arena, run_id, undisturbed, launches=1)
    assert works_on(arena.lab, run_id) == 1
    assert len(arena.schedulers()) == 1


def test_worker_and_scheduler_are_killed_together(arena: Arena, undisturbed: dict[str, Any]) -> None:
    """As when memory runs out, or somebody ends every Python there is: who looks first is told the truth."""
    run_id = start_and_hold(arena, "mid-epoch")

    kill_scheduler(arena, run_id, signal.SIGKILL)
    kill_worker(arena, run_id, signal.SIGKILL)
    worker = arena.run(run_id).process
    assert worker is not None
    # To the last: exiting takes a moment, and a scheduler that still is would be left to speak.
    arena.wait(lambda: not is_alive(worker), "the worker to be gone")
    arena.wait(lambda: not scheduler_status(arena.lab.store).alive, "the scheduler to be gone")

    assert services.look_after(arena.lab, run_id).status is RunStatus.LOST
    services.resume(arena.lab, run_id)
    arena.finish(run_id)
    assert_whole(arena, run_id, undisturbed, launches=2)


@pytest.mark.browser
@pytest.mark.parametrize(("phase", "signum"), cases("ui"))
def test_the_page_server_is_killed(
    arena: Arena, undisturbed: dict[str, Any], visit: Visit, phase: str, signum: signal.Signals
) -> None:
    """The server itself starts the scheduler here, as it does for people."""
    if phase == "queued":
        services.pause_queue(arena.lab)
    else:
        arena.hold_at(POINTS[phase])
    run_id = arena.queue()
    server, browser = visit()
    arena.wait(lambda: scheduler_status(arena.lab.store).alive, "the scheduler of the page")
    if phase != "queued":
        arena.wait(arena.is_held, f"the worker to come to {phase}")
    before = arena.run(run_id)

    os.killpg(server.process.pid, signum)
    wait_for_end(server, browser)

    if phase != "queued":
        arena.wait_for_beat(run_id)
    assert arena.run(run_id).status is before.status
    assert scheduler_status(arena.lab.store).alive
    let_go_on(arena, phase)
    arena.finish(run_id)
    assert_whole(arena, run_id, undisturbed, launches=1)
    assert works_on(arena.lab, run_id) == 1
