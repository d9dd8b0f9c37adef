"""Out of memory is said when the kernel says so: real kills in a small control group, if one can be made."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from marsseg.execution import memory
from marsseg.execution.cgroups import is_frozen, oom_counter
from marsseg.execution.memory import OomCounter, OutOfMemory, kernel_log, parse_kill
from marsseg.identity import is_alive
from marsseg.store.records import RunStatus
from tests.execution.conftest import Bench, Eventually, Stage

SMALL = 256 * 1024**2
IN_A_GROUP = (
    "Memory cgroup out of memory: Killed process 4242 (python) total-vm:9000000kB, anon-rss:3000000kB, "
    "file-rss:200000kB, shmem-rss:0kB, UID:1000 pgtables:6000kB oom_score_adj:0"
)
OF_ALL = "Out of memory: Killed process 4242 (python) total-vm:9kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB"
OF_OLD = "Out of memory: Kill process 4242 (python) score 900 or sacrifice child"


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A group below our own that is allowed 256 MB."""
    counter = oom_counter(os.getpid())
    if counter is None:
        pytest.skip("this system has no control groups that count kills for memory")
    own = counter.parent
    is_first_version = counter.name == "memory.oom_control"
    group = own / f"marsseg-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / ("memory.limit_in_bytes" if is_first_version else "memory.max")).write_text(str(SMALL))
    except OSError as error:
        with contextlib.suppress(OSError):
            group.rmdir()
        pytest.skip(f"no group with a limit can be made in {own} ({error.strerror})")
    with contextlib.suppress(OSError):  # swapping would only delay the end
        (group / ("memory.swappiness" if is_first_version else "memory.swap.max")).write_text("0")
    yield group
    for pid in (group / "cgroup.procs").read_text().split():
        (own / "cgroup.procs").write_text(pid)
    group.rmdir()


def starve(bench: Bench, run_id: str, group: Path) -> None:
    (group / "cgroup.procs").write_text(str(bench.run(run_id).process.pid))
    (bench.settings.run_dir(run_id) / "allocate").touch()


def test_a_worker_killed_for_memory_says_so_and_how_much_it_held(
    bench: Bench, stage: Stage, small_group: Path
) -> None:
    run_id = bench.queue("greedy")
    scheduler = stage.open()
    stage.drive(scheduler, lambda: bench.is_running(run_id))

    starve(bench, run_id, small_group)
    stage.drive(scheduler, lambda: bench.status(run_id).is_finished)

    assert bench.status(run_id) is RunStatus.LOST
    assert bench.run(run_id).reason.startswith("Out of memory: the kernel killed the worker")
    if memory.speaks_of_our_pids() and any(kernel_log(0)):
        assert "it held 0.2 GB then" in bench.run(run_id).reason or "0.3 GB" in bench.run(run_id).reason


def test_the_counter_alone_is_evidence_too(
    bench: Bench, stage: Stage, small_group: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_KERNEL_LOG", Path("/nonexistent"))
    run_id = bench.queue("greedy")
    scheduler = stage.open()
    stage.drive(scheduler, lambda: bench.is_running(run_id))
    (small_group / "cgroup.procs").write_text(str(bench.run(run_id).process.pid))
    scheduler.tick(time.time())  # sees where the worker is now

    starve(bench, run_id, small_group)
    stage.drive(scheduler, lambda: bench.status(run_id).is_finished)

    assert bench.run(run_id).reason == OutOfMemory().sentence()


def test_an_adopted_worker_killed_for_memory_says_so(
    bench: Bench, stage: Stage, small_group: Path, eventually: Eventually
) -> None:
    run_id = bench.queue("greedy")
    first = stage.open()
    stage.drive(first, lambda: bench.is_running(run_id))
    worker = bench.run(run_id).process
    first.shutdown()
    (small_group / "cgroup.procs").write_text(str(worker.pid))
    second = stage.open()
    second.tick(time.time())

    starve(bench, run_id, small_group)
    eventually(lambda: not is_alive(worker))
    second.tick(time.time())

    assert bench.run(run_id).reason.startswith("Out of memory")


def test_a_worker_killed_by_someone_is_not_said_to_be_out_of_memory(
    bench: Bench, stage: Stage, small_group: Path
) -> None:
    run_id = bench.queue()
    scheduler = stage.open()
    stage.drive(scheduler, lambda: bench.is_running(run_id))
    (small_group / "cgroup.procs").write_text(str(bench.run(run_id).process.pid))
    scheduler.tick(time.time())

    bench.kill(run_id)
    stage.drive(scheduler, lambda: bench.status(run_id).is_finished)

    expected = "The worker was killed by signal 9 (SIGKILL), often because memory ran out."
    assert bench.run(run_id).reason == expected


@pytest.mark.parametrize(
    ("line", "held"),
    [(IN_A_GROUP, 3_200_000 * 1024), (OF_ALL, 1024), (OF_OLD, None)],
    ids=["group", "machine", "old kernel"],
)
def test_the_kernel_s_words_for_a_kill(line: str, held: int | None) -> None:
    assert parse_kill(line, 4242) == OutOfMemory(held)
    assert parse_kill(line, 424) is None


def test_other_words_are_no_kill() -> None:
    assert parse_kill("python invoked oom-killer: gfp_mask=0xcc0, order=0", 4242) is None


def test_the_sentence_says_how_much_was_held() -> None:
    assert "it held 3.3 GB then" in OutOfMemory(3_276_800_000).sentence()
    assert "held" not in OutOfMemory().sentence()


class Group:
    """A group's counter as the test writes it."""

    def __init__(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = file
        self._monkeypatch = monkeypatch

    def has(self, kills: int) -> None:
        self.file.write_text(f"oom {kills}\noom_kill {kills}\n")

    def enter(self) -> None:
        self._monkeypatch.setattr(memory, "oom_counter", lambda _pid: self.file)


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Group, Group]:
    return Group(tmp_path / "first", monkeypatch), Group(tmp_path / "second", monkeypatch)


def test_only_a_kill_in_the_last_seconds_counts(groups: tuple[Group, Group]) -> None:
    group, counter = groups[0], OomCounter()
    group.enter()
    group.has(3)
    counter.look(1, at=0)
    assert not counter.has_risen()

    group.has(4)
    counter.look(1, at=1)
    assert counter.has_risen()

    for second in range(2, 30):
        counter.look(1, at=second)
    assert not counter.has_risen()


def test_a_kill_is_seen_although_the_last_look_was_long_ago(groups: tuple[Group, Group]) -> None:
    group, counter = groups[0], OomCounter()
    group.enter()
    group.has(0)
    counter.look(1, at=0)
    group.has(1)
    counter.look(1, at=500)

    assert counter.has_risen()


def test_a_move_to_a_group_with_old_kills_is_no_kill(groups: tuple[Group, Group]) -> None:
    counter = OomCounter()
    for kills, group in enumerate(groups):
        group.has(kills)
        group.enter()
        counter.look(1, at=kills)

    assert not counter.has_risen()


def test_a_kill_counts_in_the_group_that_the_dying_process_seems_to_have_left(
    groups: tuple[Group, Group],
) -> None:
    counter = OomCounter()
    own, root = groups
    own.has(0)
    root.has(0)
    own.enter()
    counter.look(1, at=0)
    own.has(1)
    root.enter()
    counter.look(1, at=1)

    assert counter.has_risen()


def test_a_group_that_is_gone_is_no_evidence(groups: tuple[Group, Group]) -> None:
    group, counter = groups[0], OomCounter()
    group.has(0)
    group.enter()
    counter.look(1, at=0)
    group.file.unlink()

    assert not counter.has_risen()


def test_a_process_that_is_gone_has_no_groups() -> None:
    nobody = 2**22 + 1
    assert oom_counter(nobody) is None
    assert not is_frozen(nobody)
