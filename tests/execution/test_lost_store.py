"""The database is moved, replaced or overwritten while a scheduler serves it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from marsseg.execution.control import scheduler_status
from marsseg.settings import PROJECT_ROOT, Settings
from marsseg.store import RunStore, care
from tests.execution.conftest import Eventually, scheduler_log_text
from tests.support.files import contents


@pytest.fixture
def serving(
    settings: Settings, eventually: Eventually, no_leftover_processes: None
) -> Iterator[subprocess.Popen[bytes]]:
    """A scheduler process that serves an empty store."""
    store = RunStore.open(settings)
    care.vacuum(settings.database_url)
    process = subprocess.Popen(
        [sys.executable, "-m", "marsseg.execution.scheduler", "--interval-seconds", "0.2"],
        cwd=PROJECT_ROOT,
        env={**os.environ, **settings.environment()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    eventually(lambda: scheduler_status(store).pid == process.pid)
    store.close()
    yield process
    process.kill()
    process.wait()


def replace(file: Path) -> None:
    RunStore(f"sqlite:///{file.with_name('other.db')}").close()
    file.with_name("other.db").replace(file)


def move_away(file: Path) -> None:
    file.rename(file.with_name("aside.db"))


def overwrite(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.write(os.urandom(20_000))


def empty(file: Path) -> None:
    os.truncate(file, 0)


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (replace, "runs.db was moved, removed or replaced while this process was running"),
        (move_away, "runs.db was moved, removed or replaced while this process was running"),
        (overwrite, "runs.db is not a readable database and is not written to any more"),
        (empty, "runs.db is not a readable database and is not written to any more"),
    ],
)
def test_the_scheduler_ends_at_once_and_writes_nothing_more(
    serving: subprocess.Popen[bytes], settings: Settings, harm: Callable[[Path], None], sentence: str
) -> None:
    harm(settings.home / "runs.db")
    before = contents(settings.home)

    assert serving.wait(15) == 2

    assert contents(settings.home) == before
    log = scheduler_log_text(settings.home)
    (giving_up,) = [line for line in log.splitlines() if "Giving up." in line]
    assert sentence in giving_up
    assert "Traceback" not in log
