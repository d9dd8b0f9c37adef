"""The real page server in a process of its own, as `make run` starts it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from marsseg.settings import PROJECT_ROOT


def free_port() -> int:
    """A port of this machine that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """`streamlit run` of a script with the project's settings; its output goes to `log`.

    Args:
        environment: variables added to this process's own.
        log: file that receives what the server prints.
        script: what is served; the lab unless told otherwise.
    """

    def __init__(self, environment: Mapping[str, str], log: Path, script: Path | None = None) -> None:
        port = free_port()
        self.url = f"http://localhost:{port}"
        self.log = log
        command = [sys.executable, "-m", "streamlit", "run", str(script or PROJECT_ROOT / "app.py")]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*command, f"--server.port={port}"],
                cwd=PROJECT_ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Server:
        try:
            self.wait_until_healthy()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the server and all that stayed in its process group, as a closed terminal does, but at once."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)

    def wait_until_healthy(self, seconds: float = 120) -> None:
        """Return as soon as the server answers."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            said = self.log.read_text("utf-8", errors="replace")
            assert self.process.poll() is None, f"The server ended by itself: {said}"
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise AssertionError(f"The server did not answer within {seconds:g} s: {said}")
