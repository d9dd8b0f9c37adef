"""The page server dies in the middle of a training, and nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

import pytest
from playwright.sync_api import expect

from marsseg import services
from marsseg.settings import PROJECT_ROOT, Settings
from marsseg.store.records import RunRecord, RunStatus
from tests.browser import steps
from tests.browser.conftest import Lab, Visitor
from tests.support import labs

EPOCHS = 6

pytestmark = [pytest.mark.browser, pytest.mark.training, pytest.mark.processes]


def test_a_killed_server_loses_no_run(lab_server: Lab, visitor: Visitor) -> None:
    """Started on a page, so that scheduler and worker descend from the server that is killed."""
    lab = labs.make_lab(lab_server.settings.home)
    server = lab_server.serve()
    page = visitor.open(f"{server.url}/train")
    steps.configure_small_run(page, labs.DATASET, epochs=EPOCHS)
    steps.start_run(page)
    training = wait_for_training(lab)
    server.kill()
    assert not services.get_run(lab, training.id).status.is_finished, (
        "the run must be long enough for this test"
    )

    run = services.wait(lab, training.id)
    assert (run.status, run.token) == (RunStatus.COMPLETED, training.token), "one attempt, to its end"
    assert [epoch.epoch for epoch in lab.store.list_epochs(run.id)] == list(range(1, EPOCHS + 1))
    (row,) = terminal(lab_server.settings, "leaderboard", "--json")["rows"]
    assert row["runs"] == [run.id]

    board = visitor.open(lab_server.serve().url)
    expect(steps.cells(steps.board_table(board), run.name)).to_have_count(1)


def wait_for_training(lab: services.Lab, seconds: float = 180) -> RunRecord:
    """The run that trains, as soon as it has taken its first step."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for run in services.list_runs(lab, statuses=[RunStatus.RUNNING]):
            if run.progress is not None and run.progress.step > 0:
                return run
        time.sleep(0.05)
    pytest.fail(f"no run was training within {seconds:g} s")


def terminal(settings: Settings, *arguments: str) -> Any:
    """The JSON document that a command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "marsseg", *arguments],
        cwd=PROJECT_ROOT,
        env={**os.environ, **settings.environment()},
        capture_output=True,
        timeout=120,
        check=True,
    )
    return json.loads(done.stdout)
