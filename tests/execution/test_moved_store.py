"""A database that is moved away, or becomes no database, under a scheduler that serves it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from marsseg.identity import identify, is_alive
from marsseg.settings import Settings
from marsseg.store.records import RunStatus
from tests.conftest import processes_of
from tests.execution.conftest import Bench, Eventually, scheduler_log_text


def move_away(file: Path) -> None:
    file.rename(file.with_name("aside.db"))


def fill_with_noise(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.write(os.urandom(20_000))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (move_away, "database {} was moved, removed or replaced"),
        (fill_with_noise, "file {} is not a readable database"),
    ],
)
def test_its_scheduler_ends_at_once_and_says_why(
    *,
    bench: Bench,
    detached: Callable[[], int],
    eventually: Eventually,
    settings: Settings,
    spoil: Callable[[Path], None],
    sentence: str,
) -> None:
    file = settings.home / "runs.db"
    bench.store.pause_queue()
    bench.queue()
    scheduler = identify(detached())
    whole = file.read_bytes()
    spoil(file)

    eventually(lambda: not is_alive(scheduler), 20)

    said = scheduler_log_text(settings.home)
    assert f"Giving up. The {sentence.format(file)}" in said
    assert "Traceback" not in said
    if spoil is move_away:
        file.with_name("aside.db").rename(file)
    file.write_bytes(whole)


def test_put_back_it_is_served_again_and_what_ran_can_be_resumed(
    bench: Bench, detached: Callable[[], int], eventually: Eventually, settings: Settings
) -> None:
    run_id = bench.queue()
    scheduler = identify(detached())
    eventually(lambda: bench.is_running(run_id))
    file = settings.home / "runs.db"
    move_away(file)
    eventually(lambda: not is_alive(scheduler), 20)
    eventually(lambda: not processes_of(settings.home), 20)
    file.with_name("aside.db").rename(file)

    detached()
    eventually(lambda: bench.status(run_id) is RunStatus.LOST)
    bench.store.requeue(run_id)
    bench.let_finish()

    eventually(lambda: bench.status(run_id) is RunStatus.COMPLETED)
