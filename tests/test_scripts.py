from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from marsseg.settings import PROJECT_ROOT
from scripts import browser
from scripts.check_port import main as check_port
from scripts.check_port import problem_with


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_free_port_is_fine(free_port: int) -> None:
    assert problem_with(str(free_port), "localhost") is None


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1", "0.0.0.0"])
def test_a_taken_port_gets_a_sentence_that_says_what_to_do(taken_port: int, address: str) -> None:
    sentence = problem_with(str(taken_port), address)
    assert sentence
    assert f"Port {taken_port} is already in use" in sentence
    assert f"PORT={taken_port + 1} make run" in sentence


@pytest.mark.parametrize("port", ["", "abc", "0", "65536", "-1", "80 01"])
def test_what_is_no_port_gets_a_sentence(port: str) -> None:
    sentence = problem_with(port, "localhost")
    assert sentence
    assert "number from 1 to 65535" in sentence


@pytest.mark.parametrize("address", ["192.0.2.1", "no such host"])
def test_an_address_of_another_machine_gets_a_sentence(free_port: int, address: str) -> None:
    sentence = problem_with(str(free_port), address)
    assert sentence
    assert f"ADDRESS={address}" in sentence


def test_the_exit_status_stops_make(taken_port: int, free_port: int) -> None:
    script = PROJECT_ROOT / "scripts" / "check_port.py"
    refused = subprocess.run(
        [sys.executable, script, str(taken_port)], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    assert check_port(str(free_port)) == 0


@pytest.mark.skipif(not (PROJECT_ROOT / ".venv").is_dir(), reason="make run would build .venv first")
def test_make_run_refuses_a_taken_port(taken_port: int) -> None:
    done = subprocess.run(
        ["make", "run", f"PORT={taken_port}"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    assert f"Port {taken_port} is already in use" in done.stderr


def _program(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_named_browser_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = _program(tmp_path, "my-browser")
    _program(tmp_path, "chromium")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("MARSSEG_CHROMIUM", str(named))
    assert browser.find_chromium() == str(named)


@pytest.mark.parametrize("name", browser.NAMES)
def test_a_browser_on_the_path_is_found(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARSSEG_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    path = _program(tmp_path, name)
    assert browser.find_chromium() == str(path)


def test_a_wrong_name_is_told_and_nothing_else_is_taken(tmp_path: Path) -> None:
    _program(tmp_path, "chromium")
    environment = {**os.environ, "PATH": str(tmp_path), "MARSSEG_CHROMIUM": str(tmp_path / "missing")}
    done = subprocess.run(
        [sys.executable, PROJECT_ROOT / "scripts" / "browser.py"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "correct the path or unset it" in done.stderr


def _setup(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", PROJECT_ROOT / "scripts" / "setup.sh", "requirements.lock"],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_setup_without_a_fitting_python_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_text("")
    for tool in ("sh", "cmp", "cp", "basename"):
        found = next(Path(folder) / tool for folder in ("/bin", "/usr/bin") if (Path(folder) / tool).exists())
        (tmp_path / tool).symlink_to(found)
    done = _setup(tmp_path, PATH=str(tmp_path))
    assert done.returncode == 1
    assert "needs Python 3.11, 3.12 or 3.13" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_setup_refuses_a_python_that_does_not_fit(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_text("")
    done = _setup(tmp_path, PYTHON="/bin/false")
    assert done.returncode == 1
    assert "PYTHON=/bin/false" in done.stderr


def test_setup_makes_the_environment_once_and_follows_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("# nothing yet\n")
    assert "Making .venv" in _setup(tmp_path, PYTHON=sys.executable).stdout
    assert _setup(tmp_path).stdout == ""
    lock.write_text("# another lock\n")
    assert "Installing what requirements.lock names" in _setup(tmp_path).stdout
    assert _setup(tmp_path).stdout == ""
