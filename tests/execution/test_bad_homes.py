"""Homes that cannot be written and logs that never end: a clear sentence, and no waiting."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from marsseg import services
from marsseg.services.lab import Lab
from marsseg.settings import PROJECT_ROOT
from tests.execution.conftest import Mount
from tests.support.labs import config, finish_run, make_lab
from tests.support.memory import PeakMemory

GIBIBYTE = 1024**3


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


def test_a_home_that_was_never_writable_is_named(mount: Mount, tmp_path: Path) -> None:
    home = mount(tmp_path / "disk", "rw") / "home"
    mount(tmp_path / "disk", "ro")
    assert_refused(command(home, "runs", "list"), str(home), "Read-only file system")


def test_a_home_that_became_read_only_is_named_and_comes_back_whole(mount: Mount, tmp_path: Path) -> None:
    home = mount(tmp_path / "disk", "rw") / "home"
    home.mkdir()
    lab = make_lab(home)
    run = finish_run(lab, config())
    lab.store.close()
    mount(tmp_path / "disk", "ro")
    for arguments in (["runs", "list"], ["train", "--preset", "quick"], ["runs", "resume", run.id]):
        assert_refused(command(home, *arguments), "runs.db cannot be opened for writing")
    mount(tmp_path / "disk", "rw")
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
