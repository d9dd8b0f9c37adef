"""Schedulers that come, go and are killed, many submitters, one store: nothing is done twice or lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import pytest

from marsseg.settings import PROJECT_ROOT, Settings
from marsseg.store.records import RunRecord, RunStatus
from tests.execution.conftest import Bench
from tests.execution.crowd import QUICK, SCHEDULERS, SUBMITTERS

SLOTS = 4


@pytest.mark.parametrize("seconds", [5, pytest.param(30, marks=pytest.mark.long)])
def test_nothing_is_claimed_twice_and_no_update_is_lost(
    bench: Bench, settings: Settings, capsys: pytest.CaptureFixture[str], seconds: int
) -> None:
    crowd = json.loads(python(settings, "tests.execution.crowd", str(seconds)))
    python(settings, "marsseg.execution.scheduler", *QUICK)  # ends when all that is left is done

    assert crowd["submitters"] == [0] * SUBMITTERS
    assert set(crowd["schedulers"]) <= {0, -signal.SIGKILL, -signal.SIGTERM}
    runs = bench.store.list_runs()
    reports = [json.loads(file.read_text()) for file in settings.home.glob("report *")]
    assert {run.id: run.name for run in runs} == {k: v for r in reports for k, v in r["names"].items()}
    assert {run.launches for run in runs} == {1}
    assert all(was_worked_on_once(settings, run) for run in runs)
    events = count_events(bench)
    assert events["queued", "Run"] == events["starting", "Its"] == len(runs)
    assert events["renamed", "Renamed"] == sum(report["renames"] for report in reports)
    assert events["moved", "Priority"] == sum(report["priorities"] for report in reports)
    with capsys.disabled():
        sys.stdout.write(figures(bench, runs, reports, crowd["schedulers"], seconds))


def python(settings: Settings, module: str, *arguments: str) -> str:
    """Run a module to its end; returns what it printed."""
    environment = {**os.environ, **settings.environment(), "MARSSEG_SLOTS": str(SLOTS)}
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(
        command, cwd=PROJECT_ROOT, env=environment, stdout=subprocess.PIPE, timeout=300, check=True
    )
    return done.stdout.decode()


def was_worked_on_once(settings: Settings, run: RunRecord) -> bool:
    """One worker recorded its launch, unless the scheduler was killed between claim and launch."""
    file = settings.run_dir(run.id) / "launches"
    launches = file.read_text().split() if file.exists() else []
    if run.status is RunStatus.COMPLETED:
        return launches == [run.token]
    return run.status is RunStatus.LOST and len(launches) <= 1 and "scheduler ended" in run.reason


def count_events(bench: Bench) -> Counter[tuple[str, str]]:
    """How many events there are of each kind and first word."""
    return Counter((e.kind, e.message.split()[0]) for e in bench.store.list_events(limit=10**6))


def figures(
    bench: Bench, runs: list[RunRecord], reports: list[dict[str, Any]], ends: list[int], seconds: int
) -> str:
    statuses = Counter(run.status for run in runs)
    takeovers = bench.store.acquire_lease("scheduler", "the test", time.time() + 600, 1) - 2
    changes = sum(report["renames"] + report["priorities"] for report in reports)
    return (
        f"\n{SCHEDULERS} schedulers and {SUBMITTERS} submitters for {seconds} s: {len(runs)} runs submitted, "
        f"{statuses[RunStatus.COMPLETED]} claimed and completed, {statuses[RunStatus.LOST]} claimed by a "
        f"scheduler that was killed before the launch, {changes} renames and priorities; "
        f"{len(ends)} schedulers started, {ends.count(-signal.SIGKILL)} killed, {takeovers} takeovers of the "
        f"lease; longest wait of a submitter {max(report['longest_wait'] for report in reports):.2f} s\n"
    )
