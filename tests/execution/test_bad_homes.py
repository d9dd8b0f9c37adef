"""Homes that cannot be written and logs that never end: a clear sentence, and no waiting."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from marsseg import services
from marsseg.services.lab import Lab
from marsseg.settings import PROJECT_ROOT
from tests.support.labs import config, finish_run, make_lab
from tests.support.memory import PeakMemory

GIBIBYTE = 1024**3


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A disk of its own, mounted as told, "ro" or "rw"; skips where nothing may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted: list[Path] = []

    def mount(mode: str) -> Path:
        how = ["-o", f"remount,{mode}", str(folder)] if mounted else ["-t", "tmpfs", "tmpfs", str(folder)]
        done = subprocess.run(["mount", *how], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


def command(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "marsseg", *arguments],
        cwd=PROJECT_ROOT,
        env={**os.environ, "MARSSEG_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    for word in (*words, "MARSSEG_HOME"):
        assert word in done.stderr


def test_a_home_that_was_never_writable_is_named(small_disk: Callable[[str], Path]) -> None:
    home = small_disk("rw") / "home"
    small_disk("ro")
    assert_refused(command(home, "runs", "list"), str(home), "Read-only file system")


def test_a_home_that_became_read_only_is_named_and_comes_back_whole(
    small_disk: Callable[[str], Path],
) -> None:
    home = small_disk("rw") / "home"
    home.mkdir()
    lab = make_lab(home)
    run = finish_run(lab, config())
    lab.store.close()
    small_disk("ro")
    for arguments in (["runs", "list"], ["train", "--preset", "quick"], ["runs", "resume", run.id]):
        assert_refused(command(home, *arguments), "runs.db cannot be opened for writing")
    small_disk("rw")
    assert services.get_run(lab, run.id) == run
    lab.store.close()


@pytest.fixture
def huge_log(tmp_path: Path) -> tuple[Lab, str]:
    """A run whose log is a gibibyte long (most of it a hole in the file) and ends in plain lines."""
    lab = make_lab(tmp_path)
    run = finish_run(lab, config())
    with services.log_path(lab, run.id).open("wb") as log:
        log.seek(GIBIBYTE)
        log.write(b"\n" + b"".join(b"line %d\n" % number for number in range(1000)))
    return lab, run.id


def test_a_log_of_a_gibibyte_is_read_from_its_end(huge_log: tuple[Lab, str]) -> None:
    lab, run_id = huge_log
    peak = PeakMemory()
    assert services.log_size(lab, run_id) > GIBIBYTE
    assert services.read_log(lab, run_id).splitlines()[-1] == "line 999"
    assert services.read_log(lab, run_id, tail_bytes=30).splitlines() == ["line 997", "line 998", "line 999"]
    assert peak.mebibytes() < 5
