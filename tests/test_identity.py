from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from marsseg import identity
from marsseg.identity import identify, own_identity


def test_a_process_signs_with_the_identity_that_others_see() -> None:
    assert own_identity("secret") == identify(os.getpid(), "secret")
    assert own_identity("secret").token == "secret"


def test_without_proc_the_boot_time_stands_for_the_boot(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(identity, "_BOOT_ID", tmp_path / "missing")
    identity.boot_id.cache_clear()
    try:
        assert identity.boot_id() == f"boot-{psutil.boot_time():.0f}"
    finally:
        monkeypatch.undo()
        identity.boot_id.cache_clear()


def test_nobody_has_the_identity_of_a_pid_that_is_free() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert identify(process.pid) is None
