from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import psutil
import pytest

from marsseg.execution.processes import end_orphans, signal_group
from marsseg.identity import TOKEN_VARIABLE, ProcessIdentity, identify, is_alive, own_identity

WITH_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""

Start = Callable[..., subprocess.Popen[str]]
Eventually = Callable[..., None]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start(code: str = "import time; time.sleep(60)", **options: object) -> subprocess.Popen[str]:
        options = {"start_new_session": True, **options}
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, **options)
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if os.getpgid(process.pid) == process.pid else os.kill)(process.pid, signal.SIGKILL)
        process.communicate()


def identity_of(process: subprocess.Popen[str]) -> ProcessIdentity:
    identity = identify(process.pid)
    assert identity is not None
    return identity


def test_the_own_process_is_alive_and_carries_the_token() -> None:
    identity = own_identity("secret")

    assert identity.token == "secret"
    assert is_alive(identity)


def test_a_pid_that_another_process_has_now_is_not_alive(start: Start) -> None:
    process = start()
    predecessor = replace(identity_of(process), created_at=identity_of(process).created_at - 100)

    assert not is_alive(predecessor)
    assert not signal_group(predecessor, signal.SIGKILL)
    assert end_orphans(predecessor) == 0
    assert process.poll() is None


def test_nothing_from_before_a_reboot_is_alive_or_touched(start: Start) -> None:
    process = start()
    before = replace(identity_of(process), boot_id="an earlier boot")

    assert not is_alive(before)
    assert not signal_group(before, signal.SIGKILL)
    assert end_orphans(before) == 0
    assert process.poll() is None


def test_a_pid_without_a_process_has_no_identity(start: Start) -> None:
    process = start("")
    process.wait()

    assert identify(process.pid) is None
    assert identify(-1) is None


def test_a_zombie_is_dead(start: Start, eventually: Eventually) -> None:
    process = start()
    identity = identity_of(process)

    os.kill(process.pid, signal.SIGKILL)  # and nobody waits for it

    eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    assert psutil.pid_exists(process.pid)
    assert not is_alive(identity)
    assert identify(process.pid) is None


def test_a_suspended_process_is_alive(start: Start, eventually: Eventually) -> None:
    process = start()
    os.kill(process.pid, signal.SIGSTOP)

    eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
    assert is_alive(identity_of(process))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a start is known by the clock alone")
def test_a_clock_set_back_one_hour_changes_no_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = identify(os.getpid())
    assert identity is not None
    boot_time = psutil.boot_time()

    # Setting the clock moves the kernel's boot time, from which psutil derives creation times.
    monkeypatch.setattr(psutil, "boot_time", lambda: boot_time - 3600)
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: boot_time - 3600)

    assert psutil.Process().create_time() < identity.created_at + boot_time - 3500
    assert is_alive(identity)


def test_a_signal_wakes_a_suspended_process_to_hear_it(start: Start) -> None:
    process = start()
    os.kill(process.pid, signal.SIGSTOP)

    assert signal_group(identity_of(process), signal.SIGTERM)

    assert process.wait() == -signal.SIGTERM


def test_a_signal_reaches_the_whole_group(start: Start, eventually: Eventually) -> None:
    process = start(WITH_CHILD)
    child = int(process.stdout.readline())

    assert signal_group(identity_of(process), signal.SIGTERM)

    eventually(lambda: identify(child) is None)


def test_a_signal_leaves_the_launcher_of_a_groupless_process_alone(start: Start) -> None:
    process = start(start_new_session=False)

    assert signal_group(identity_of(process), signal.SIGTERM)

    assert process.wait() == -signal.SIGTERM


def test_what_a_killed_worker_leaves_behind_is_ended(start: Start, eventually: Eventually) -> None:
    worker, child = abandon(start, token="ours")

    assert end_orphans(worker) == 1

    eventually(lambda: identify(child) is None)


@pytest.mark.parametrize("token", ["another", ""])
def test_strangers_in_a_session_of_the_same_number_are_left_alone(
    start: Start, eventually: Eventually, token: str
) -> None:
    """As after a worker whose number went to the leader of another session, who left members and died."""
    stranger, child = abandon(start, token="theirs")

    assert end_orphans(replace(stranger, token=token)) == 0
    assert identify(child) is not None

    end_orphans(stranger)
    eventually(lambda: identify(child) is None)


def test_end_orphans_leaves_a_living_leader_and_its_group_alone(start: Start) -> None:
    process = start(WITH_CHILD, env=environment("ours"))
    process.stdout.readline()
    identity = replace(identity_of(process), token="ours")

    assert end_orphans(identity) == 0
    assert end_orphans(replace(identity, created_at=1.0)) == 0
    assert process.poll() is None


def abandon(start: Start, token: str) -> tuple[ProcessIdentity, int]:
    """Kill a process that leads a session and was launched with a token; returns it, and its child's pid."""
    process = start(WITH_CHILD, env=environment(token))
    identity = replace(identity_of(process), token=token)
    child = int(process.stdout.readline())
    process.kill()
    process.wait()
    assert identify(child) is not None
    return identity, child


def environment(token: str) -> dict[str, str]:
    return {**os.environ, TOKEN_VARIABLE: token}
