"""What the kernel says of mounts and groups, also where a line of it is odd: the queue must not stop then."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from marsseg.execution import cgroups
from marsseg.execution.cgroups import is_frozen, oom_counter, read_entry
from marsseg.store.records import RunStatus
from tests.execution.conftest import Bench, Stage

ODD = {
    "a mount without a source": b"77 20 0:50 / /mnt rw,relatime shared:1 - tmpfs  rw\n",
    "a name that is not UTF-8": b"78 20 0:51 / /mnt/M\xe4rz rw - tmpfs tmpfs rw\n",
    "a name with a form feed": b"79 20 0:52 / /mnt/a\x0cb rw - tmpfs tmpfs rw\n",
    "half a line": b"80 20 - tmpfs\n",
    "an empty line": b"\n",
}


@pytest.fixture(autouse=True)
def _forget_mounts() -> Iterator[None]:
    """The mounts are read once a process."""
    cgroups._mounts.cache_clear()
    yield
    cgroups._mounts.cache_clear()


@pytest.fixture
def own_group(tmp_path: Path) -> tuple[Path, bytes]:
    """A tree in which our own group counts kills, and the mounts that say where it is, of both versions."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        group = tmp_path / line.split(":", 2)[2].lstrip("/")
        group.mkdir(parents=True, exist_ok=True)
        for name in ("memory.events", "memory.oom_control"):
            (group / name).write_text("oom_kill 3\n")
    lines = (
        f"30 20 0:26 / {tmp_path} rw - cgroup cgroup rw,memory\n"
        f"31 20 0:27 / {tmp_path} rw - cgroup2 cgroup2 rw\n"
    )
    return tmp_path, lines.encode()


@pytest.mark.parametrize("odd", ODD)
def test_one_odd_mount_hides_no_other(
    own_group: tuple[Path, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: str
) -> None:
    tree, lines = own_group
    (tmp_path / "mountinfo").write_bytes(ODD[odd] + lines + ODD[odd])
    monkeypatch.setattr(cgroups, "_MOUNTS", tmp_path / "mountinfo")

    counter = oom_counter(os.getpid())

    assert counter is not None
    assert counter.is_relative_to(tree)
    assert read_entry(counter, "oom_kill") == 3


@pytest.mark.parametrize("content", [b"", b"oom_kill\n", b"oom_kill many\n", b"\xff\xfe\n", b" \n"])
def test_a_counter_that_cannot_be_understood_is_unknown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "memory.events").write_bytes(content)

    assert read_entry(tmp_path / "memory.events", "oom_kill") is None


def test_without_mounts_nobody_is_frozen_and_nothing_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "_MOUNTS", tmp_path / "missing")

    assert oom_counter(os.getpid()) is None
    assert not is_frozen(os.getpid())


@pytest.fixture
def nameless_mount(tmp_path: Path) -> Iterator[Path]:
    """A real mount with an empty source."""
    folder = tmp_path / "nameless"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"", bytes(folder), b"tmpfs", 0, None):
        pytest.skip(f"no disk can be mounted here: {os.strerror(ctypes.get_errno())}")
    yield folder
    libc.umount2(bytes(folder), 2)


def test_the_queue_goes_on_beside_a_mount_without_a_source(
    nameless_mount: Path, bench: Bench, stage: Stage
) -> None:
    assert f" {nameless_mount} " in Path("/proc/self/mountinfo").read_text()
    run_id = bench.queue()
    bench.let_finish()

    stage.drive(stage.open(), lambda: bench.status(run_id).is_finished)

    assert bench.status(run_id) is RunStatus.COMPLETED
