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


@pytest.mark.parametrize("seconds", [5, pytest.param(30, marks=[pytest.mark.long, pytest.mark.alone])])
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
    assert {(run.status, run.launches) for run in runs} == {(RunStatus.COMPLETED, 1)}
    events = count_events(bench)
    again = events["queued", "The"]
    assert events["queued", "Run"] == events["starting", "Its"] - again == len(runs)
    launches = [token for run in runs for token in launches_of(settings, run)]
    assert len(launches) == len(set(launches))
    assert {run.token for run in runs} <= set(launches)
    assert len(launches) - len(runs) <= again, "whoever is launched without a claim that holds writes nothing"
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


def launches_of(settings: Settings, run: RunRecord) -> list[str]:
    """The tokens of all workers that a run ever had."""
    return (settings.run_dir(run.id) / "launches").read_text().split()


def count_events(bench: Bench) -> Counter[tuple[str, str]]:
    """How many events there are of each kind and first word."""
    return Counter((e.kind, e.message.split()[0]) for e in bench.store.list_events(limit=10**6))


def figures(
    bench: Bench, runs: list[RunRecord], reports: list[dict[str, Any]], ends: list[int], seconds: int
) -> str:
    again = count_events(bench)["queued", "The"]
    takeovers = bench.store.acquire_lease("scheduler", "the test", time.time() + 600, 1) - 2
    changes = sum(report["renames"] + report["priorities"] for report in reports)
    return (
        f"\n{SCHEDULERS} schedulers and {SUBMITTERS} submitters for {seconds} s: {len(runs)} runs submitted, "
        f"all of them launched and completed once, {again} claimed a second time, as the scheduler was "
        f"killed before the launch, {changes} renames and priorities; "
        f"{len(ends)} schedulers started, {ends.count(-signal.SIGKILL)} killed, {takeovers} takeovers of the "
        f"lease; longest wait of a submitter {max(report['longest_wait'] for report in reports):.2f} s\n"
    )
