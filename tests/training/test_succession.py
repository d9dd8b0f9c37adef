"""When a worker that leaves starts a scheduler; in tests/execution/test_stalled_queue.py real ones do."""

from __future__ import annotations

import json
import os
import sys
import time

import psutil
import pytest

from marsseg.identity import identify
from marsseg.training import succession
from marsseg.training.succession import wake_scheduler
from tests.training.small_lab import SMALL

pytestmark = pytest.mark.training


def owner_of(pid: int) -> str:
    """What a scheduler writes into its lease."""
    process = identify(pid)
    return json.dumps([process.pid, process.created_at, process.boot_id, time.time()])


@pytest.fixture
def started(monkeypatch) -> list[bool]:
    """Notes each start instead of doing it."""
    starts: list[bool] = []
    monkeypatch.setattr(succession, "_start", lambda _settings: starts.append(True))
    return starts


def test_without_a_queue_none_is_started(lab, started):
    wake_scheduler(lab.settings, lab.store)
    assert not started


def test_a_paused_queue_stays_paused(lab, tiny_config, started):
    lab.add(tiny_config(SMALL))
    lab.store.pause_queue()
    wake_scheduler(lab.settings, lab.store)
    assert not started


def test_a_living_scheduler_is_left_to_its_work(lab, tiny_config, started):
    lab.add(tiny_config(SMALL))
    lab.store.acquire_lease("scheduler", owner_of(os.getpid()), time.time(), 60)
    wake_scheduler(lab.settings, lab.store)
    assert not started


@pytest.mark.parametrize("owner", [None, "no process of ours", "[1]"])
def test_when_in_doubt_one_is_started(lab, tiny_config, started, owner):
    lab.add(tiny_config(SMALL))
    if owner:
        lab.store.acquire_lease("scheduler", owner, time.time(), 60)
    wake_scheduler(lab.settings, lab.store)
    assert started


def test_another_process_with_the_pid_of_the_dead_one_is_not_taken_for_it(lab, tiny_config, started):
    lab.add(tiny_config(SMALL))
    pid, created_at, boot, since = json.loads(owner_of(os.getpid()))
    lab.store.acquire_lease("scheduler", json.dumps([pid, created_at - 60, boot, since]), time.time(), 60)
    wake_scheduler(lab.settings, lab.store)
    assert started


def test_one_that_cannot_be_started_is_only_logged(lab, tiny_config, monkeypatch, caplog):
    lab.add(tiny_config(SMALL))
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    wake_scheduler(lab.settings, lab.store)
    assert "open any page, or queue a run, to start one" in caplog.text
    assert not psutil.Process().children()
