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

from marsseg.execution.processes import end_orphans, signal_group, terminate
from marsseg.identity import ProcessIdentity, identify, is_alive, own_identity

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
)
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
    assert not terminate(predecessor, grace=0.1)
    assert process.poll() is None


def test_nothing_from_before_a_reboot_is_alive_or_touched(start: Start) -> None:
    process = start()
    before = replace(identity_of(process), boot_id="an earlier boot")

    assert not is_alive(before)
    assert not terminate(before, grace=0.1)
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


def test_terminate_is_polite_first(start: Start) -> None:
    process = start()

    assert terminate(identity_of(process), grace=10)

    assert process.wait() == -signal.SIGTERM


def test_terminate_kills_who_does_not_listen(start: Start) -> None:
    process = start(STUBBORN)
    process.stdout.readline()

    assert terminate(identity_of(process), grace=0.3)

    assert process.wait() == -signal.SIGKILL


def test_terminate_reaches_a_suspended_process(start: Start) -> None:
    process = start()
    os.kill(process.pid, signal.SIGSTOP)

    assert terminate(identity_of(process), grace=10)

    assert process.wait() == -signal.SIGTERM


def test_terminate_ends_the_whole_group(start: Start, eventually: Eventually) -> None:
    process = start(WITH_CHILD)
    child = int(process.stdout.readline())

    assert terminate(identity_of(process), grace=10)

    eventually(lambda: identify(child) is None)


def test_terminate_leaves_the_launcher_of_a_groupless_process_alone(start: Start) -> None:
    process = start(start_new_session=False)

    assert terminate(identity_of(process), grace=10)

    assert process.wait() == -signal.SIGTERM


def test_what_a_killed_leader_leaves_behind_is_ended(start: Start, eventually: Eventually) -> None:
    process = start(WITH_CHILD)
    identity = identity_of(process)
    child = int(process.stdout.readline())
    process.kill()
    process.wait()
    assert identify(child) is not None

    assert end_orphans(identity) == 1

    eventually(lambda: identify(child) is None)


def test_end_orphans_leaves_a_living_leader_and_its_group_alone(start: Start) -> None:
    process = start(WITH_CHILD)
    process.stdout.readline()

    assert end_orphans(identity_of(process)) == 0
    assert end_orphans(replace(identity_of(process), created_at=1.0)) == 0
    assert process.poll() is None
